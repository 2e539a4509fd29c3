package bundle

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// checkWhole checks that r is what its signed form says, stated, and that it
// brings no file of a component that stated does not name.
func checkWhole(r, stated *release.Release) error {
	if r.Digest != stated.Digest {
		return fmt.Errorf("signed manifest: digest %s, the release says %s", stated.Digest, r.Digest)
	}
	if !reflect.DeepEqual(r.Manifest, stated.Manifest) {
		return errors.New("the manifest is not the signed one")
	}
	return errors.Join(stray("image", r.Images, stated), stray("chunk list", r.Chunks, stated))
}

func stray(kind string, files map[string][]byte, stated *release.Release) error {
	for name := range files {
		named := func(c release.Component) bool { return c.Name == name }
		if !slices.ContainsFunc(stated.Manifest.Components(), named) {
			return fmt.Errorf("%s %q: the manifest names no such component", kind, name)
		}
	}
	return nil
}

// A blob is one file of a release; data is nil when it should be there already,
// or lies checked and synced under the name staged. What is sure was hashed in this
// process.
type blob struct {
	name   string
	digest fleet.Digest
	size   int64
	data   []byte
	staged string
	sure   bool
}

func blobOf(name string, data []byte) blob {
	return blob{name: name, digest: fleet.Sum(data), size: int64(len(data)), data: data, sure: true}
}

// parts lists the images and chunk lists that stated names, with what r has of
// them.
func parts(r, stated *release.Release) []blob {
	var blobs []blob
	for _, c := range stated.Manifest.Components() {
		made := r.Made(c)
		blobs = append(blobs,
			blob{name: "image of " + c.Name, digest: c.Digest, size: c.Size, data: r.Images[c.Name], sure: made},
			blob{name: "chunk list of " + c.Name, digest: c.Chunks, size: chunkListSize(c), data: r.Chunks[c.Name], sure: made})
	}
	return blobs
}

// chunkListSize is the length of c's chunk list: a digest for each chunk begun.
func chunkListSize(c release.Component) int64 {
	chunk := int64(c.ChunkSize)
	return (c.Size + chunk - 1) / chunk * int64(len(c.Chunks))
}

// check compares b's data, where given, with what was stated of it.
func (b blob) check() error {
	if b.data == nil || b.sure {
		return nil
	}
	if got := int64(len(b.data)); got != b.size {
		return fmt.Errorf("%s: %d bytes, the manifest says %d", b.name, got, b.size)
	}
	if got := fleet.Sum(b.data); got != b.digest {
		return fmt.Errorf("%s: digest %s, the manifest says %s", b.name, got, b.digest)
	}
	return nil
}
