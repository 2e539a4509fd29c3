package pki

import (
	"crypto"
	"crypto/x509"
	"reflect"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// IssueBoard makes a new credential for m: a password, a key and its certificate.
// The key is P-256, or RSA-2048 where that of the CA is. Nothing is stored. Only the boards hierarchy has boards.
func (a *Authority) IssueBoard(m fleet.MAC, now time.Time) (*Credential, error) {
	mold, err := a.boardMold(m)
	if err != nil {
		return nil, err
	}
	key, err := custody.Generate(boardKind(a.CA.PublicKey))
	if err != nil {
		return nil, a.errorf("%s: %w", m, err)
	}
	c, err := mold.cast(m, key.Public())
	if err != nil {
		return nil, a.errorf("%s: %w", m, err)
	}
	return &Credential{MAC: m, Password: NewPassword(), Key: key, Certificate: c, Issuer: IssuerOf(a.CA), Issued: now}, nil
}

// CertifyBoard certifies a key that the board m has made, of the kind that
// IssueBoard would make.
func (a *Authority) CertifyBoard(m fleet.MAC, pub crypto.PublicKey) (*x509.Certificate, error) {
	mold, err := a.boardMold(m)
	if err != nil {
		return nil, err
	}
	if kind, err := custody.KindOf(pub); err != nil || kind != boardKind(a.CA.PublicKey) {
		return nil, a.errorf("%s: a key of another kind, want %s", m, boardKind(a.CA.PublicKey))
	}
	c, err := mold.cast(m, pub)
	if err != nil {
		return nil, a.errorf("%s: %w", m, err)
	}
	return c, nil
}

// boardMold is what m's certificate is cast in.
func (a *Authority) boardMold(m fleet.MAC) (*mold, error) {
	switch {
	case a.hierarchy != Boards:
		return nil, a.errorf("issues no board certificates")
	case m == fleet.MAC{}:
		return nil, a.errorf("the zero MAC names no board")
	case a.key == nil:
		return nil, a.errorf("%w", errNoKey)
	}
	return a.mold()
}

// boardKind is the kind of key that boards get from a CA with the key ca. A
// board that can judge no signature but RSA has no use for another key of its own.
func boardKind(ca crypto.PublicKey) custody.Kind {
	if kind, err := custody.KindOf(ca); err == nil && kind == custody.RSA2048 {
		return kind
	}
	return custody.P256
}

// Two boards that do not exist: the template is rendered for both.
var sampleMAC, otherMAC = fleet.MAC{0xfe, 0xed, 0xfa, 0xce, 0xca, 0xfe}, fleet.MAC{0xde, 0xfa, 0xce, 0xdb, 0xea, 0xd0}

// makeMold issues a certificate to the sample board and takes it apart. It is
// good for nothing else: no registry lists its serial number.
func (a *Authority) makeMold() (*mold, error) {
	if err := a.checkConstant(); err != nil {
		return nil, err
	}
	sample, err := a.issue(a.templates.Board, boardShape(sampleMAC.String()), a.CA.PublicKey, a.CA, a.key)
	if err != nil {
		return nil, err
	}
	return a.takeApart(sample)
}

// checkConstant refuses a template by which two boards' certificates differ in
// more than the common name.
func (a *Authority) checkConstant() error {
	one, err := a.render(a.templates.Board, boardShape(sampleMAC.String()), a.CA.PublicKey)
	if err != nil {
		return a.errorf("%w", err)
	}
	two, err := a.render(a.templates.Board, boardShape(otherMAC.String()), a.CA.PublicKey)
	if err != nil {
		return a.errorf("%w", err)
	}
	one.Subject.CommonName, two.Subject.CommonName = "", ""
	if !reflect.DeepEqual(one, two) {
		return a.errorf("board template: two boards' certificates differ in more than the common name")
	}
	return nil
}
