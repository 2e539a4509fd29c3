package sitedoc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/release/cose"
)

// A Draft is a site document on its way past its roots, which need not lie in one
// place: each holder signs a copy, and the signatures are brought together. It
// counts for nobody before it is Complete.
//
// As a file it is the payload alone while nobody has signed it, and after that the
// COSE_Sign as far as it has come.
type Draft struct {
	Doc     *Doc
	payload []byte
	signed  []byte // nil: by nobody yet
}

// NewDraft returns d, signed by nobody.
func NewDraft(d *Doc) (*Draft, error) {
	payload, err := d.Encode()
	if err != nil {
		return nil, err
	}
	return ReadDraft(payload)
}

// ReadDraft reads the file of a draft. It proves nothing: neither what it says nor
// who has signed it.
func ReadDraft(b []byte) (*Draft, error) {
	f := &Draft{payload: b}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("site document: %d bytes, more than %d: %w", len(b), MaxSize, cose.TooLong)
	}
	if m, err := cose.Read(Type, b); err == nil && !m.Single {
		f.payload, f.signed = m.Payload, b
	}
	var err error
	if f.Doc, err = Decode(f.payload); err != nil {
		return nil, err
	}
	return f, nil
}

// Bytes returns the file of f.
func (f *Draft) Bytes() []byte {
	if f.signed == nil {
		return f.payload
	}
	return f.signed
}

// Sign adds the signature of r, beside those that are there.
func (f *Draft) Sign(r Root) error {
	one, err := cose.Sign(Type, f.payload, cose.Signer{Key: r.Key(), Sign: r.SignSite})
	if err == nil && f.signed != nil {
		one, err = cose.Join(Type, f.signed, one)
	}
	if err != nil {
		return fmt.Errorf("site document: %w", err)
	}
	f.signed = one
	return nil
}

// Add takes over the signatures of o, a copy of f, that are by roots of the
// document before or of f itself. After an error f is as it was: o says something
// else, or no root has signed it.
func (f *Draft) Add(o *Draft, before *Doc) error {
	switch {
	case !bytes.Equal(o.payload, f.payload):
		return errors.New("site document: says something else than the one that waits for signatures")
	case o.signed == nil:
		return errors.New("site document: nobody has signed it")
	}
	roots := append(slices.Clone(before.Roots.Keys), f.Doc.Roots.Keys...)
	added, err := cose.Only(Type, o.signed, roots...)
	if err == nil && f.signed != nil {
		added, err = cose.Join(Type, f.signed, added)
	}
	if err != nil {
		return fmt.Errorf("site document: %w", err)
	}
	f.signed = added
	return nil
}

// Signers are those of keys that have signed f.
func (f *Draft) Signers(keys ...cose.Key) (some []cose.Key) {
	m, err := cose.Read(Type, f.signed)
	for _, k := range keys {
		if err == nil && m.Verify(1, k) == nil {
			some = append(some, k)
		}
	}
	return some
}

// Lacks returns how many signatures are missing: of the roots of the document
// before, and of those that f itself names. One root may be among both.
func (f *Draft) Lacks(before *Doc) (old, own int) {
	lack := func(r Roots) int { return max(0, r.Threshold-len(f.Signers(r.Keys...))) }
	return lack(before.Roots), lack(f.Doc.Roots)
}

// Wants reports whether a signature of k brings f further.
func (f *Draft) Wants(k cose.Key, before *Doc) bool {
	old, own := f.Lacks(before)
	counts := old > 0 && slices.Contains(before.Roots.Keys, k) || own > 0 && slices.Contains(f.Doc.Roots.Keys, k)
	return counts && len(f.Signers(k)) == 0
}
