package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A mold casts board certificates. They differ in serial number, common name
// and key; all else is the same, so it is rendered, checked and encoded once.
// Sites issue them by the hundred thousand, and rendering each, let alone
// verifying each signature after making it, costs more than the cryptography.
type mold struct {
	a *Authority

	// Parts of the certificate in DER: what stands around serial number, subject
	// and key, then what follows the signed part.
	version, signatureToValidity, extensions []byte
	subjectHead, subjectTail                 []byte // around the common name
	algorithm                                []byte // of the signature
	hash                                     crypto.Hash
}

var errMold = errors.New("the sample certificate cannot be taken apart")

// takeApart makes a mold of the sample board's certificate.
func (a *Authority) takeApart(c *x509.Certificate) (*mold, error) {
	whole, tbs := elements(c.Raw), elements(c.RawTBSCertificate)
	head, tail, once := cutOnce(c.RawSubject, []byte(sampleMAC.String()))
	hash := hashOf(c.SignatureAlgorithm)
	if len(whole) != 3 || len(tbs) != 8 || !once || hash == 0 {
		return nil, a.errorf("board template: %w", errMold)
	}
	return &mold{
		a:                   a,
		version:             tbs[0],
		signatureToValidity: slices.Concat(tbs[2], tbs[3], tbs[4]),
		subjectHead:         head,
		subjectTail:         tail,
		extensions:          tbs[7],
		algorithm:           whole[1],
		hash:                hash,
	}, nil
}

// elements splits a DER sequence; what is none has no elements.
func elements(der cryptobyte.String) (list [][]byte) {
	var sequence, element cryptobyte.String
	if !der.ReadASN1(&sequence, asn1.SEQUENCE) {
		return nil
	}
	for sequence.ReadAnyASN1Element(&element, nil) {
		list = append(list, element)
	}
	return list
}

// cutOnce cuts s around sep, which must stand in it exactly once.
func cutOnce(s, sep []byte) (before, after []byte, ok bool) {
	before, after, ok = bytes.Cut(s, sep)
	return before, after, ok && !bytes.Contains(after, sep)
}

func hashOf(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.ECDSAWithSHA256, x509.SHA256WithRSA:
		return crypto.SHA256
	case x509.ECDSAWithSHA384:
		return crypto.SHA384
	}
	return 0
}

// cast makes the certificate of one board.
func (d *mold) cast(m fleet.MAC, pub crypto.PublicKey) (*x509.Certificate, error) {
	tbs, err := d.toBeSigned(m, pub)
	if err != nil {
		return nil, err
	}
	signature, err := crypto.SignMessage(d.a.key, rand.Reader, tbs, d.hash)
	if err != nil {
		return nil, err
	}
	c, err := d.assemble(tbs, signature)
	if err != nil {
		return nil, err
	}
	if err := boardShape(m.String()).checkIssued(c); err != nil {
		return nil, err
	}
	if err := d.distrust(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (d *mold) toBeSigned(m fleet.MAC, pub crypto.PublicKey) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(d.version)
		b.AddASN1(asn1.INTEGER, addSerial)
		b.AddBytes(d.signatureToValidity)
		b.AddBytes(d.subjectHead)
		b.AddBytes([]byte(m.String()))
		b.AddBytes(d.subjectTail)
		b.AddBytes(spki)
		b.AddBytes(d.extensions)
	})
	return b.Bytes()
}

func addSerial(b *cryptobyte.Builder) {
	serial := newSerial()
	if serial[0]&0x80 != 0 {
		b.AddUint8(0) // else it would be negative
	}
	b.AddBytes(serial[:])
}

func (d *mold) assemble(tbs, signature []byte) (*x509.Certificate, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(d.algorithm)
		b.AddASN1BitString(signature)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// distrust verifies a signature that was made outside this process. The
// standard library's own is not verified: that would double the cost.
func (d *mold) distrust(c *x509.Certificate) error {
	if _, ok := d.a.key.(*ecdsa.PrivateKey); ok {
		return nil
	}
	return c.CheckSignatureFrom(d.a.CA)
}
