package release

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A Trust is what a release is held against.
type Trust struct {
	// Site says whose manifests count: a document that has been verified, or one
	// made for the purpose, of which only Site, Keys, Generation and Floors are
	// looked at.
	Site *sitedoc.Doc

	App   []fleet.Digest     // Secure Boot V2 keys of images, as espimage.KeyDigest has them
	AppV1 []*ecdsa.PublicKey // Secure Boot V1 keys: a V1 signature does not name its key
	MCU   []crypto.PublicKey // of images for chips behind the board; none: who signed these is left open

	first fleet.Digest // the one of App that signed block 0; zero: any of them
}

// Verify proves what can be proved of r and refuses it where something is wrong:
// the manifest is signed by a key that the site trusts with this hardware and
// kind, its counter is within the site's bounds, the images and chunk lists at
// hand are those that it states, and the image is one for its chip and signed by
// an app key. What is not at hand is left open in the report.
func Verify(r *Release, trust Trust) (*Report, error) {
	if trust.Site == nil {
		return nil, errors.New("no site document to hold the release against")
	}
	report := &Report{}
	m, err := report.statement(r, trust.Site)
	if err != nil {
		return nil, err
	}
	if err := noStrays(m, r.Images, r.Chunks); err != nil {
		return nil, err
	}
	for _, c := range m.Components() {
		if err := report.component(c, r); err != nil {
			return nil, err
		}
	}
	for _, c := range m.Others {
		if image := r.Images[c.Name]; image != nil {
			if err := report.other(c.Name, image, trust.MCU); err != nil {
				return nil, err
			}
		}
	}
	if image := r.Images[AppComponent]; image != nil {
		if trust, err = trust.narrowed(r); err == nil {
			err = report.image(m, r.program(), image, trust)
		}
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

// statement proves the manifest.
func (r *Report) statement(rel *Release, site *sitedoc.Doc) (*Manifest, error) {
	m, message, err := open(rel.Signed)
	if err != nil {
		return nil, err
	}
	if rel.Digest != fleet.Sum(rel.Signed) || !reflect.DeepEqual(m, rel.Manifest) {
		return nil, fmt.Errorf("manifest: the release shows another one than it has signed: %w", Mismatch)
	}
	r.Signer = message.Signatures[0].Key
	key, err := site.ReleaseKey(r.Signer, m.Kind, m.Hardware)
	if err != nil {
		return nil, manifestError(err)
	}
	if err := message.Verify(1, key); err != nil {
		return nil, manifestError(err)
	}
	if m.Site != site.Site {
		return nil, fmt.Errorf("manifest: for site %s, this is %s: %w", m.Site, site.Site, OtherSite)
	}
	if err := site.CheckCounter(m.Hardware, m.Counter); err != nil {
		return nil, manifestError(err)
	}
	r.proved("manifest", "signed by release key %v, trusted with %s for hardware %s", r.Signer, m.Kind, m.Hardware)
	r.proved("counter", "(%d, %d) is within the site's bounds", m.Counter.Generation, m.Counter.Count)
	return &m, nil
}

// noStrays refuses files that the manifest does not name.
func noStrays(m *Manifest, files ...map[string][]byte) error {
	named := map[string]bool{}
	for _, c := range m.Components() {
		named[c.Name] = true
	}
	for _, f := range files {
		for name := range f {
			if !named[name] {
				return fmt.Errorf("component %.63q: the manifest names none of that name: %w", name, Mismatch)
			}
		}
	}
	return nil
}

// component proves what rel has of c.
func (r *Report) component(c Component, rel *Release) error {
	image, list := rel.Images[c.Name], rel.Chunks[c.Name]
	if rel.Made(c) {
		made := func([]byte) error { return nil }
		return errors.Join(r.stated(c.Name, "image", image, made), r.stated(c.Name, "chunk list", list, made))
	}
	var chunks error
	var other sync.WaitGroup // two passes over megabytes, on two cores
	if image != nil && list != nil {
		other.Go(func() { chunks = c.checkChunks(image, list) })
	}
	defer other.Wait()
	if err := r.stated(c.Name, "image", image, c.checkImage); err != nil {
		return err
	}
	if err := r.stated(c.Name, "chunk list", list, c.CheckList); err != nil {
		return err
	}
	other.Wait()
	return chunks
}

func (r *Report) stated(name, what string, b []byte, check func([]byte) error) error {
	subject := name + ": " + what
	if b == nil {
		r.open(subject, "is not at hand")
		return nil
	}
	if err := check(b); err != nil {
		return err
	}
	r.proved(subject, "is the one that the manifest states, %d bytes", len(b))
	return nil
}

// image proves that the chip of m takes image; im is nil unless it was parsed before.
func (r *Report) image(m *Manifest, im *espimage.Image, image []byte, trust Trust) (err error) {
	if im == nil {
		im, err = espimage.Parse(image)
	}
	if err != nil {
		return badImage(err)
	}
	if im.Chip != m.Chip {
		return badImage(fmt.Errorf("header at offset 12: image for %s, the manifest states %s", im.Chip, m.Chip))
	}
	return r.program(im, image, trust)
}

// VerifyImage proves an image by itself, of which no manifest says what it is for: its
// structure and its signatures. Of trust only the app keys are looked at.
func VerifyImage(image []byte, trust Trust) (*Report, *espimage.Image, error) {
	im, err := espimage.Parse(image)
	if err != nil {
		return nil, nil, badImage(err)
	}
	r := &Report{}
	return r, im, r.program(im, image, trust)
}

// program proves the signatures of a parsed image.
func (r *Report) program(im *espimage.Image, image []byte, trust Trust) error {
	if !im.App {
		return badImage(errors.New("is no application: it has no descriptor"))
	}
	r.proved("app: structure", "an application for %s", im.Chip)
	if len(image) == espimage.SignedSize(im.Length, espimage.V1) {
		return r.signatureV1(im, image, trust.AppV1)
	}
	return r.signature(im, image, trust)
}

// signature proves a Secure Boot V2 signature, as a board does that looks at
// block 0 alone.
func (r *Report) signature(im *espimage.Image, image []byte, trust Trust) error {
	found, err := im.Inspect(image)
	if err != nil {
		return badImage(err)
	}
	if len(found.Blocks) == 0 || found.Blocks[0].Position != 0 {
		return badImage(errors.New("signature block 0 is blank"))
	}
	first := found.Blocks[0]
	if first.Err != nil {
		return badImage(fmt.Errorf("signature block 0: %w", first.Err))
	}
	if len(trust.App) == 0 {
		r.open("app: signature", "good, by app key %v, and no app key to compare that with", first.Key)
		return nil
	}
	if err := found.Accepts(espimage.Trust{Keys: trust.App}); err != nil {
		return badImage(err)
	}
	if trust.first != (fleet.Digest{}) && first.Key != trust.first {
		return badImage(fmt.Errorf("signature block 0: by app key %v, where it is said to be by %v", first.Key, trust.first))
	}
	r.proved("app: signature", "%s, by app key %v", first.Scheme, first.Key)
	r.blocks(found.Blocks[1:], trust.App)
	return nil
}

// blocks reports on the signatures behind block 0, at which only chips with hardware
// Secure Boot look.
func (r *Report) blocks(others []espimage.Block, keys []fleet.Digest) {
	for _, b := range others {
		f := Finding{Subject: fmt.Sprintf("app: signature block %d", b.Position), Beside: true}
		switch {
		case b.Err != nil:
			f.Detail = b.Err.Error()
		case !slices.Contains(keys, b.Key):
			f.Detail = fmt.Sprintf("good, by key %v, which is no app key", b.Key)
		default:
			f.Proved, f.Detail = true, fmt.Sprintf("%s, by app key %v", b.Scheme, b.Key)
		}
		r.Findings = append(r.Findings, f)
	}
}

// signatureV1 proves a Secure Boot V1 signature.
func (r *Report) signatureV1(im *espimage.Image, image []byte, keys []*ecdsa.PublicKey) error {
	if keys == nil {
		r.open("app: signature", "Secure Boot V1, which shows no key, and no app key to try")
		return nil
	}
	err := errors.New("by an app key that signs no images of Secure Boot V1")
	for _, key := range keys {
		if err = im.VerifyV1(image, key); err == nil {
			r.proved("app: signature", "%s, by an app key", espimage.V1)
			return nil
		}
	}
	return badImage(err)
}
