package bundle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/attest"
)

// packedFile is the image manifest in a folder: what `cosign verify` is about.
const packedFile = "image-manifest.json"

// Folder lays a release and what goes with it down as files, for tools that know
// no OCI. It returns name → bytes; whole has the images.
func Folder(whole *release.Release, p *Packed, attached []Attachment) map[string][]byte {
	files := map[string][]byte{packedFile: p.Text, statementFile: whole.Signed}
	for name, image := range whole.Images {
		files[name+".bin"] = image
	}
	for name, list := range whole.Chunks {
		files[name+".chunks"] = list
	}
	for _, a := range attached {
		files[a.Name] = a.Data
	}
	return files
}

// InFolder reports how many bytes a file of that name may have in a folder that
// ReadFolder reads; 0 where it looks at no such file.
func InFolder(name string) int64 {
	switch {
	case name == packedFile:
		return maxManifest
	case name == statementFile:
		return release.MaxSigned
	case kindIn(name) != "":
		return maxAttachedBlob
	case strings.HasSuffix(name, ".bin"), strings.HasSuffix(name, ".chunks"):
		return release.MaxImage
	}
	return 0
}

// kindIn is the media type of an attachment in a folder.
func kindIn(name string) string {
	switch {
	case strings.HasSuffix(name, bundleSuffix):
		return attest.BundleType
	case strings.HasSuffix(name, sbomFile):
		return attest.SBOMType
	}
	return ""
}

// ReadFolder is the inverse of Folder. It proves nothing. Files other than the
// signed manifest may be missing; d names the image manifest.
func ReadFolder(files map[string][]byte) (r *release.Release, d fleet.Digest, attached []Attachment, err error) {
	signed, there := files[statementFile]
	if !there {
		return nil, d, nil, errors.New("no " + statementFile + " in it")
	}
	if r, err = release.Parse(signed); err != nil {
		return nil, d, nil, fmt.Errorf("%s: %w", statementFile, err)
	}
	r.Images, r.Chunks = map[string][]byte{}, map[string][]byte{}
	for _, c := range r.Manifest.Components() {
		if image, there := files[c.Name+".bin"]; there {
			r.Images[c.Name] = image
		}
		if list, there := files[c.Name+".chunks"]; there {
			r.Chunks[c.Name] = list
		}
	}
	if d, err = packedIn(files, r); err != nil {
		return nil, d, nil, fmt.Errorf("%s: %w", packedFile, err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if kind := kindIn(name); kind != "" {
			attached = append(attached, Attachment{Name: name, Kind: kind, Data: files[name]})
		}
	}
	return r, d, attached, nil
}

// packedIn names the image manifest that packs r; the zero digest where there is
// none: it says by which key the image is signed, which r does not.
func packedIn(files map[string][]byte, r *release.Release) (d fleet.Digest, err error) {
	text, there := files[packedFile]
	if !there {
		return d, nil
	}
	p, err := openPacked(context.Background(), memory{r.Digest.String(): r.Signed}, text)
	if err != nil {
		return d, err
	}
	return digestOf(p.Descriptor), nil
}
