package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// A Trust is what an image is held against. The zero Trust proves that an image
// is whole, but of nobody that they made it.
type Trust struct {
	Keys    []crypto.PublicKey // one of them must have signed; none: the signature is left open
	Decrypt []Identity         // that open encrypted images

	// Listed refuses TLVs in the unprotected area but those of hash, signature and
	// wrapped keys, as some bootloaders do.
	Listed bool
}

// A Report says what Verify found.
type Report struct {
	Image    *Image
	Payload  []byte           // in plain text, filled to a multiple of 16 where Encrypted
	Hash     crypto.Hash      // of the image
	Digest   []byte           // the image hash
	Clear    bool             // the header says encrypted, and the payload lies in the clear
	Pure     bool             // the signature is over the content itself, not over its hash
	SignedBy crypto.PublicKey // the key of Trust.Keys that signed; nil: not proved
	Findings []Finding
}

// A Finding is one thing that was looked at. Where it is not Proved, Detail says
// what was missing to prove it, or what it means.
type Finding struct {
	Subject string `json:"subject"`
	Proved  bool   `json:"proved"`
	Detail  string `json:"detail"`
}

func (r *Report) proved(subject, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{subject, true, fmt.Sprintf(format, args...)})
}

func (r *Report) open(subject, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{subject, false, fmt.Sprintf(format, args...)})
}

// ErrEncrypted says that an image is encrypted and no key was given, or not the
// one, that opens it. Nothing of its payload is proved then.
var ErrEncrypted = errors.New("the payload is encrypted, so nothing of it is proved")

// Verify judges file as a bootloader with that trust does, or more strictly. The
// error says why such a bootloader refuses it, or what kept Verify from knowing.
// Without one, the report says what is proved and what is not: whoever has no keys
// to give learns only that the image is whole. With ErrEncrypted there is a report
// too, of what lies in the clear.
func Verify(file []byte, trust Trust) (*Report, error) {
	im, err := Parse(file)
	if err != nil {
		return nil, err
	}
	if trust.Listed {
		if err := im.checkListed(); err != nil {
			return nil, err
		}
	}
	stated, err := im.hashTLV()
	if err != nil {
		return nil, err
	}
	r := &Report{Image: im, Hash: stated.Type.hash(), Digest: stated.Value}
	if r.Pure, err = im.pure(); err != nil {
		return nil, err
	}
	r.Payload, r.Clear, err = im.open(trust.Decrypt)
	if errors.Is(err, ErrEncrypted) {
		return r.withoutPayload(trust.Keys, err)
	}
	if err != nil {
		return nil, err
	}
	r.proved("hash", "%s over header, payload and protected TLVs", stated.Type)
	r.reportEncryption()
	if err := r.checkSignatures(trust.Keys); err != nil {
		return nil, err
	}
	r.reportRest()
	return r, nil
}

// withoutPayload reports on an image that could not be decrypted. Its hash can be
// read, and the signature over it checked, but not what it is the hash of.
func (r *Report) withoutPayload(keys []crypto.PublicKey, cause error) (*Report, error) {
	if r.Pure {
		r.open("signature", "covers the payload itself, and was not checked")
	} else if err := r.checkSignatures(keys); err != nil {
		return nil, err
	}
	r.SignedBy = nil
	r.open("hash", "stated, but held against no payload")
	r.reportRest()
	return r, cause
}

func (im *Image) checkListed() error {
	for i, t := range im.Unprotected {
		if !t.Type.mayLackProtection() {
			return fmt.Errorf("unprotected area: entry %d: %s is none of the TLVs that are allowed there", i, t.Type)
		}
	}
	return nil
}

// hashTLV returns the TLV with the image hash. A bootloader looks for that of its
// own algorithm; which one it is cannot be told of an image that has two.
func (im *Image) hashTLV() (TLV, error) {
	var found *TLV
	for _, t := range im.Unprotected {
		h := t.Type.hash()
		switch {
		case h == 0:
		case len(t.Value) != h.Size():
			return TLV{}, fmt.Errorf("%s of %d bytes, want %d", t.Type, len(t.Value), h.Size())
		case found != nil && (t.Type != found.Type || !bytes.Equal(t.Value, found.Value)):
			return TLV{}, errors.New("two image hashes: bootloaders may go by either")
		default:
			found = &t
		}
	}
	if found == nil {
		return TLV{}, errors.New("no image hash")
	}
	return *found, nil
}

func (im *Image) pure() (bool, error) {
	for _, t := range im.Unprotected {
		if t.Type == signPure {
			if !bytes.Equal(t.Value, []byte{1}) {
				return false, fmt.Errorf("%s is % x, want 01", t.Type, t.Value)
			}
			return true, nil
		}
	}
	return false, nil
}

// open returns the payload in plain text once it has the stated hash, and whether
// it lay in the clear though the header says encrypted.
func (im *Image) open(keys []Identity) (plain []byte, clear bool, err error) {
	h, err := im.hashTLV()
	if err != nil {
		return nil, false, err
	}
	switch stored := im.Payload(); {
	case im.has(h, stored):
		return stored, im.Encrypted(), nil
	case !im.Encrypted():
		return nil, false, fmt.Errorf("%s is not the hash of header, payload and protected TLVs", h.Type)
	}
	plain, err = im.decrypt(keys, h)
	return plain, false, err
}

// has reports whether h is the hash of im with that payload in plain text.
func (im *Image) has(h TLV, payload []byte) bool {
	return subtle.ConstantTimeCompare(digest(h.Type.hash(), im.content(payload)), h.Value) == 1
}

// decrypt tries the keys in turn.
func (im *Image) decrypt(keys []Identity, h TLV) ([]byte, error) {
	wrapped := im.wrappedKeys()
	if len(wrapped) != 1 {
		return nil, fmt.Errorf("%d TLVs with a content key: an encrypted image has one", len(wrapped))
	}
	t := wrapped[0]
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: its key is in %s, and no key was given to open that", ErrEncrypted, t.Type)
	}
	var reasons []string
	for _, k := range keys {
		plain, err := im.decryptWith(k, t)
		if err == nil && im.has(h, plain) {
			return plain, nil
		}
		if err == nil {
			err = errors.New("what it decrypts to has not the image's hash: another key, or a damaged image")
		}
		reasons = append(reasons, err.Error())
	}
	return nil, fmt.Errorf("%w: %s: %s", ErrEncrypted, t.Type, strings.Join(reasons, "; "))
}

func (im *Image) decryptWith(k Identity, t TLV) ([]byte, error) {
	key, err := k.unwrap(im, t, im.Flags.keySize())
	if err != nil {
		return nil, err
	}
	return crypt(key, im.Payload())
}

// reportEncryption says what was found out of an image that is encrypted.
func (r *Report) reportEncryption() {
	switch {
	case r.Clear:
		r.open("encryption", "the header says encrypted, but the payload lies in the clear: fit for a primary slot, not for an update")
	case r.Image.Encrypted():
		r.proved("encryption", "AES with a key of %d bits, which %s holds", 8*r.Image.Flags.keySize(), r.Image.wrappedKeys()[0].Type)
	}
}

// checkSignatures walks the unprotected area as a bootloader does. The last
// signature by a key that it knows decides.
func (r *Report) checkSignatures(keys []crypto.PublicKey) error {
	if len(keys) == 0 {
		r.open("signature", "no key was given: who made the image is not proved")
		return nil
	}
	for _, k := range keys {
		if _, err := suiteOf(k); err != nil {
			return fmt.Errorf("trusted key: %w", err)
		}
	}
	w := walk{report: r, keys: keys, last: errors.New("no signature by a key that is trusted")}
	for _, t := range r.Image.Unprotected {
		if err := w.step(t); err != nil {
			return err
		}
	}
	if w.last != nil {
		return w.last
	}
	r.SignedBy = w.signer
	r.proved("signature", "by the %s key %x", KeyName(w.signer), w.id)
	return nil
}

// A walk is the state of checkSignatures.
type walk struct {
	report *Report
	keys   []crypto.PublicKey
	named  crypto.PublicKey // by the last KEYHASH or PUBKEY; nil: none that is trusted
	signer crypto.PublicKey
	id     []byte // of the signer
	last   error  // of the last signature that counts
}

func (w *walk) step(t TLV) error {
	switch t.Type {
	case keyHash:
		return w.name(t, func(k crypto.PublicKey) ([]byte, error) { return KeyHash(k, w.report.Hash) })
	case publicKey:
		return w.name(t, keyDER)
	}
	if w.named == nil {
		return nil // a signature by a key that is not known, or none at all
	}
	s, err := suiteOf(w.named)
	if err != nil || s.tlv != t.Type {
		return err
	}
	w.signer, w.last = w.named, w.check(s, t)
	w.named = nil
	return nil
}

// name looks up the key that t names. A hash may be cut short, as some writers do
// and bootloaders allow: it only selects a key, and proves nothing.
func (w *walk) name(t TLV, by func(crypto.PublicKey) ([]byte, error)) error {
	if len(t.Value) == 0 {
		return fmt.Errorf("%s is empty", t.Type)
	}
	w.named = nil
	for _, k := range w.keys {
		id, err := by(k)
		if err != nil {
			return err
		}
		short := t.Type == keyHash && bytes.HasPrefix(id, t.Value)
		if short || bytes.Equal(id, t.Value) {
			w.named = k
			return nil
		}
	}
	return nil
}

// check judges a signature by the key that was named.
func (w *walk) check(s *suite, t TLV) error {
	r := w.report
	message := r.Digest
	if r.Pure {
		message = r.Image.content(r.Payload)
	}
	id, err := KeyHash(w.named, r.Hash)
	if err != nil {
		return err
	}
	w.id = id
	switch err := s.checkHash(r.Hash); {
	case err != nil:
		return err
	case r.Pure && s != edwards:
		return fmt.Errorf("%s, and a key for %s: only Ed25519 signs pure images", signPure, s.name)
	case !verify(w.named, message, t.Value):
		return fmt.Errorf("%s by the %s key %x is wrong", t.Type, s.name, id)
	}
	return nil
}

// reportRest says what a reader should know beside.
func (r *Report) reportRest() {
	im := r.Image
	if r.Pure {
		r.open("bootloader", "pure signature: bootloaders that were not built for it refuse the image")
	}
	if im.Flags&NonBootable != 0 {
		r.open("bootloader", "flag NON_BOOTABLE: it is never started by itself")
	}
	if im.Flags&compressed != 0 {
		r.open("compression", "the payload is compressed; what it unpacks to was not looked at")
	}
	for _, t := range im.Unprotected {
		switch {
		case t.Type == keyHash && len(t.Value) < 16:
			r.open("key hash", "%d bytes of it: it selects a key, more is not asked of it", len(t.Value))
		case !t.Type.mayLackProtection():
			r.open("TLV "+t.Type.String(), "lies in the unprotected area: anybody could have put it there, and some bootloaders refuse it")
		}
	}
	if n := len(im.Rest()); n > 0 {
		r.open("rest", "%d bytes follow the image; nothing covers them", n)
	}
}
