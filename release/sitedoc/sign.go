package sitedoc

import (
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/release/cose"
)

// A Root signs site documents; sign.Root is one.
type Root interface {
	Key() cose.Key
	SignSite(message []byte) ([]byte, error) // r ‖ s, as cose.Signer has it
}

// Sign returns the signed document that says d. The roots must be a quorum of
// those that d names; where d changes the roots, a quorum of the old ones signs
// beside them.
func Sign(d *Doc, roots ...Root) ([]byte, error) {
	payload, err := d.Encode()
	if err != nil {
		return nil, err
	}
	var signers []cose.Signer
	for _, r := range roots {
		signers = append(signers, cose.Signer{Key: r.Key(), Sign: r.SignSite})
	}
	signed, err := cose.Sign(Type, payload, signers...)
	if err != nil {
		return nil, fmt.Errorf("site document: %w", err)
	}
	_, err = Verify(signed, d.Roots)
	return signed, err
}

// Verify returns the document that is signed by a quorum of the trusted roots and
// by a quorum of the roots that it names itself.
func Verify(signed []byte, trusted Roots) (*Doc, error) {
	m, err := cose.Read(Type, signed)
	if err != nil {
		return nil, fmt.Errorf("site document: %w", err)
	}
	if m.Single {
		return nil, fmt.Errorf("site document: is a COSE_Sign1, want COSE_Sign: %w", cose.Encoding)
	}
	if err := m.Verify(trusted.Threshold, trusted.Keys...); err != nil {
		return nil, fmt.Errorf("site document: trusted roots: %w", err)
	}
	d, err := Decode(m.Payload)
	if err != nil {
		return nil, err
	}
	if err := m.Verify(d.Roots.Threshold, d.Roots.Keys...); err != nil {
		return nil, fmt.Errorf("site document: its own roots: %w", err)
	}
	return d, nil
}

// Follow returns the document that a holder of d takes as its successor. After an
// error d is still the one to hold.
func (d *Doc) Follow(signed []byte) (*Doc, error) {
	next, err := Verify(signed, d.Roots)
	if err != nil {
		return nil, err
	}
	if err := next.succeeds(d); err != nil {
		return nil, fmt.Errorf("site document: %v: %w", err, Succession)
	}
	return next, nil
}

func (d *Doc) succeeds(old *Doc) error {
	switch {
	case d.Site != old.Site:
		return fmt.Errorf("site is %s, want %s", d.Site, old.Site)
	case d.Epoch <= old.Epoch:
		return fmt.Errorf("epoch %d does not rise above %d", d.Epoch, old.Epoch)
	case d.Generation < old.Generation:
		return fmt.Errorf("generation %d is below %d", d.Generation, old.Generation)
	}
	for hardware, floor := range old.Floors {
		if f, ok := d.Floors[hardware]; !ok || f.Compare(floor) < 0 {
			return fmt.Errorf("floor of hardware %s falls", hardware)
		}
	}
	return nil
}

// Chain follows documents one after the other, the first of which the trusted
// roots vouch for, and returns the last.
func Chain(trusted Roots, signed ...[]byte) (*Doc, error) {
	if len(signed) == 0 {
		return nil, errors.New("site document: there is none")
	}
	d, err := Verify(signed[0], trusted)
	if err != nil {
		return nil, fmt.Errorf("document 1 of %d: %w", len(signed), err)
	}
	for i, s := range signed[1:] {
		if d, err = d.Follow(s); err != nil {
			return nil, fmt.Errorf("document %d of %d: %w", i+2, len(signed), err)
		}
	}
	return d, nil
}
