package release

import (
	"crypto"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A Head is the end of the audit trail: the sequence of its last row and the hash
// over all. The zero Head states none.
type Head struct {
	Sequence uint64
	Hash     fleet.Digest
}

// A Request says what to cut. The numbers come from the registry, which gives
// none twice.
type Request struct {
	Site      string
	Kind      sitedoc.Kind // zero: Firmware
	Version   string
	Hardware  Hardware
	Image     []byte            // the application, unsigned
	Others    map[string][]byte // images for chips behind the board; see signOthers
	Counter   fleet.Counter
	Sequences map[string]uint64 // by channel
	Audit     Head
	MinLoader string // "2.0.1"; empty: any
	ChunkSize int    // zero: DefaultChunk

	App    []sign.App       `json:"-"` // the first signs block 0, the one that boards in the field look at
	Key    sign.Release     `json:"-"` // signs the manifest
	MCUKey crypto.PublicKey `json:"-"` // by which images of MCUboot have to be signed; nil: by anybody, or nobody

	// MCU signs those of Others that lack a signature, by name. Others go without.
	MCU map[string]sign.MCU `json:"-"`

	checked *espimage.Image // what Check found Image to be
}

// Cut checks and signs the image and states it in a signed manifest. What is
// wrong with the image is BadImage and names the field and its offset. With keys
// in memory and P-256 images the same request gives the same bytes; RSA image
// signatures differ each time.
//
// Every image key is asked for its signature before an error of one is returned, so
// that of keys that are elsewhere all are told at once what to sign.
func Cut(q Request) (*Release, error) {
	im, image, whole, err := q.signImage()
	others, failed := q.signOthers()
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	r := &Release{Images: map[string][]byte{}, Chunks: map[string][]byte{}, made: map[string]made{}}
	if r.AppKey, err = espimage.KeyDigest(q.App[0].Public()); err != nil {
		return nil, badImage(err)
	}
	if r.Manifest.Image, err = r.add(AppComponent, image, whole, q.ChunkSize, im); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		c, err := r.add(name, others[name], fleet.Sum(others[name]), q.ChunkSize, nil)
		if err != nil {
			return nil, err
		}
		r.Manifest.Others = append(r.Manifest.Others, c)
	}
	r.Manifest.Site, r.Manifest.Version, r.Manifest.Kind = q.Site, q.Version, q.Kind
	r.Manifest.Hardware, r.Manifest.Chip = q.Hardware.Name, q.Hardware.Chip
	r.Manifest.Counter, r.Manifest.MinLoader = q.Counter, q.MinLoader
	if q.Kind == "" {
		r.Manifest.Kind = sitedoc.Firmware
	}
	return r, r.sign(q.Sequences, q.Audit, q.Key)
}

// Restate returns a release of the same bytes under new sequences: for another
// channel, or for a deliberate step back. The counter stays. r must have been
// verified: its statement is signed again as it is.
func Restate(r *Release, sequences map[string]uint64, audit Head, key sign.Release) (*Release, error) {
	m, _, err := open(r.Signed)
	if err != nil {
		return nil, err
	}
	again := &Release{Manifest: m, Images: r.Images, Chunks: r.Chunks, AppKey: r.AppKey}
	return again, again.sign(sequences, audit, key)
}

// sign completes the manifest of r, signs it, and reads it back.
func (r *Release) sign(sequences map[string]uint64, audit Head, key sign.Release) error {
	r.Manifest.Sequences = maps.Clone(sequences)
	r.Manifest.AuditSeq, r.Manifest.Audit = audit.Sequence, audit.Hash
	payload, err := r.Manifest.Encode()
	if err != nil {
		return err
	}
	r.Signed, err = cose.Sign1(Type, payload, cose.Signer{Key: key.Key(), Sign: key.SignManifest})
	if err != nil {
		return manifestError(err)
	}
	r.Digest = fleet.Sum(r.Signed)
	_, _, err = open(r.Signed)
	return err
}

// add takes in a component of the digest whole and returns what the manifest says of it.
func (r *Release) add(name string, image []byte, whole fleet.Digest, chunkSize int, program *espimage.Image) (Component, error) {
	if chunkSize == 0 {
		chunkSize = DefaultChunk
	}
	c, list, err := state(name, image, whole, chunkSize)
	if err != nil {
		return Component{}, invalid(err)
	}
	r.Images[name], r.Chunks[name], r.made[name] = image, list, made{c, image, list, program}
	return c, nil
}

// Check says why boards of the hardware could not run or hold the image, or why the
// request is no request, before numbers and signatures are spent on it, and notes what deserves a second look
// though Cut takes it. The error names the field and its offset.
func (q *Request) Check() (notes []string, err error) {
	im, _, err := q.check()
	if err == nil {
		q.checked = im
	}
	if err == nil && im.Descriptor.Version != q.Version {
		notes = append(notes, fmt.Sprintf("the image calls itself version %q, the release is %q", im.Descriptor.Version, q.Version))
	}
	if err == nil && im.Descriptor.SecureVersion > 0 {
		most := espimage.LimitsOf(im.Chip, q.Hardware.MinRevision).SecureVersions
		notes = append(notes, fmt.Sprintf("secure_version is %d of %d: where eFuses count it, %d steps are left, and loaders of a lower one do not start again",
			im.Descriptor.SecureVersion, most, most-im.Descriptor.SecureVersion))
	}
	if err == nil && q.MinLoader != "" {
		_, err = parseLoader(q.MinLoader)
	}
	return notes, err
}

// check checks the image, unless Check did so before, and returns the scheme that
// signs it.
func (q *Request) check() (im *espimage.Image, scheme espimage.Scheme, err error) {
	if im = q.checked; im == nil || !im.Of(q.Image) {
		im, err = espimage.CheckRelease(q.Image)
	}
	if err != nil {
		return nil, "", err
	}
	scheme, err = q.Hardware.check(im)
	if most := espimage.LimitsOf(im.Chip, q.Hardware.MinRevision).Blocks; err == nil && most > 0 && len(q.App) > most {
		err = fmt.Errorf("%d app keys: %s looks at %d signature blocks", len(q.App), im.Chip, most)
	}
	return im, scheme, err
}
