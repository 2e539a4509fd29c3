package release

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
)

// A Hardware is what Cut must know of the boards that a release is for.
type Hardware struct {
	Name        string
	Chip        fleet.Chip
	MinRevision uint16          // lowest chip revision among the boards, 100·major + minor
	Slot        int64           // bytes of the partition that takes the signed image; 0: not known
	Scheme      espimage.Scheme // zero: the one that the chip takes by default
	Project     string          // that images must carry; empty: any
}

// signImage returns the image, what it is with its signatures, and the digest of that.
func (q *Request) signImage() (im *espimage.Image, signed []byte, whole fleet.Digest, err error) {
	im, scheme, err := q.check()
	if err != nil {
		return nil, nil, whole, badImage(err)
	}
	if signed, err = signAs(scheme, im, q.App); err != nil {
		return nil, nil, whole, badImage(err)
	}
	return im, signed, im.Sum(signed), nil
}

// check says why boards of h could not run or hold im, or which scheme signs it.
func (h Hardware) check(im *espimage.Image) (espimage.Scheme, error) {
	scheme := h.Scheme
	if scheme == "" {
		var err error
		if scheme, err = espimage.SchemeFor(h.Chip, h.MinRevision); err != nil {
			return "", err
		}
	}
	if im.Chip != h.Chip {
		return "", misfit("chip", "header at offset 12: image for %s, hardware %s is %s", im.Chip, h.Name, h.Chip)
	}
	if h.Project != "" && im.Descriptor.Project != h.Project {
		return "", misfit("project", "descriptor at offset 80: image of project %q, hardware %s wants %q", im.Descriptor.Project, h.Name, h.Project)
	}
	if im.MinRevision > h.MinRevision {
		return "", misfit("revision", "header at offset 15: image needs chip revision %s, hardware %s begins with %s",
			revision(im.MinRevision), h.Name, revision(h.MinRevision))
	}
	if im.MaxRevision != 0 && im.MaxRevision < h.MinRevision {
		return "", misfit("revision", "header at offset 17: image runs up to chip revision %s, hardware %s begins with %s",
			revision(im.MaxRevision), h.Name, revision(h.MinRevision))
	}
	if err := im.CheckSecureVersion(); err != nil {
		return "", err
	}
	if size := int64(espimage.SignedSize(im.Length, scheme)); h.Slot != 0 && size > h.Slot {
		return "", misfit("slot", "image of %d bytes, %d when signed, does not fit the slot of hardware %s, %d", im.Length, size, h.Name, h.Slot)
	}
	return scheme, espimage.Allowed(h.Chip, h.MinRevision, scheme)
}

// A MisfitError says that an image or a release is not for boards of a hardware as
// it is now.
type MisfitError struct {
	What string // "chip", "revision", "project" or "slot"
	text string
}

func (e *MisfitError) Error() string { return e.text }

func misfit(what, format string, a ...any) error {
	return &MisfitError{what, fmt.Sprintf(format, a...)}
}

// Takes says why boards of h could not run or hold what m states.
func (h Hardware) Takes(m *Manifest) error {
	if m.Chip != h.Chip {
		return misfit("chip", "release %s is for %s, hardware %s is %s", m.Version, m.Chip, h.Name, h.Chip)
	}
	if h.Slot != 0 && m.Image.Size > h.Slot {
		return misfit("slot", "release %s has an image of %d bytes, which does not fit the slot of hardware %s, %d", m.Version, m.Image.Size, h.Name, h.Slot)
	}
	return nil
}

func revision(n uint16) string { return fmt.Sprintf("%d.%d", n/100, n%100) }

func signAs(scheme espimage.Scheme, im *espimage.Image, keys []sign.App) ([]byte, error) {
	signers, err := signersFor(scheme, keys)
	if err != nil {
		return nil, err
	}
	if scheme != espimage.V1 {
		return im.Sign(signers...)
	}
	if len(signers) != 1 {
		return nil, fmt.Errorf("%d app keys: Secure Boot V1 has room for one signature", len(keys))
	}
	return im.SignV1(signers[0])
}

// signersFor makes sure that each key is of the kind that the scheme takes.
func signersFor(scheme espimage.Scheme, keys []sign.App) (signers []crypto.Signer, err error) {
	want := scheme
	if scheme == espimage.V1 {
		want = espimage.P256
	}
	for i, k := range keys {
		kind, err := k.Kind()
		if err != nil {
			return nil, fmt.Errorf("app key %d: %w", i+1, err)
		}
		if espimage.Scheme(kind) != want {
			return nil, fmt.Errorf("app key %d is a %s key: signature scheme %s takes %s", i+1, kind, scheme, want)
		}
		signers = append(signers, k)
	}
	if signers == nil {
		return nil, errors.New("no app key to sign the image with")
	}
	return signers, nil
}

func badImage(err error) error { return fmt.Errorf("image: %w: %w", err, BadImage) }
