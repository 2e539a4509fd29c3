package radius_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"iter"
	"math/big"
	"net/netip"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:staticcheck // what MSCHAPv2 proves

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// A hierarchy is a root and its issuing CA.
type hierarchy struct {
	root, ca *x509.Certificate
	caKey    *ecdsa.PrivateKey
}

// A cert is a leaf with its key.
type cert struct {
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

var (
	past = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	ever = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func sign(shape, parent *x509.Certificate, pub *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	shape.NotBefore, shape.NotAfter, shape.BasicConstraintsValid = past, ever, true
	if shape.SerialNumber == nil {
		n := newSerial()
		shape.SerialNumber = new(big.Int).SetBytes(n[:])
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, shape, parent, pub, key))))
}

func newSerial() (n fleet.Serial) {
	must(rand.Read(n[:]))
	n[0] |= 0x80 // the sign bit: the serial is one octet longer in DER
	return n
}

// newHierarchy makes the root and the CA of the named hierarchy of site "lab".
func newHierarchy(name string) *hierarchy {
	rootKey, caKey := newKey(), newKey()
	shape := func(cn string) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	}
	root := shape("lab " + name + " root")
	root = sign(root, root, &rootKey.PublicKey, rootKey)
	ca := shape("lab " + name + " CA")
	ca.MaxPathLenZero = true
	return &hierarchy{root, sign(ca, root, &caKey.PublicKey, rootKey), caKey}
}

// board issues a client certificate as boards have it.
func (h *hierarchy) board(m fleet.MAC) cert {
	return h.issue(&x509.Certificate{Subject: pkix.Name{CommonName: m.String()}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// server issues a certificate for the server called name.
func (h *hierarchy) server(name string) cert {
	return h.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (h *hierarchy) issue(shape *x509.Certificate) cert {
	shape.KeyUsage = x509.KeyUsageDigitalSignature
	key := newKey()
	return cert{sign(shape, h.ca, &key.PublicKey, h.caKey), key}
}

func (c cert) serial() (n fleet.Serial) {
	c.leaf.SerialNumber.FillBytes(n[:])
	return n
}

func (c cert) keyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(c.key))})
}

// bundle is certs as PEM.
func bundle(certs ...*x509.Certificate) (out []byte) {
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// ntHash is the MD4 of the password in UTF-16LE.
func ntHash(password string) (h fleet.NTHash) {
	d := md4.New()
	for _, u := range utf16.Encode([]rune(password)) {
		d.Write([]byte{byte(u), byte(u >> 8)})
	}
	d.Sum(h[:0])
	return h
}

// A board is one device together with what it proves itself with.
type board struct {
	fleet.Device
	cert     cert
	password string
}

// A site has the three hierarchies.
type site struct{ boards, radius, servers *hierarchy }

func newSite() *site {
	return &site{newHierarchy("boards"), newHierarchy("radius"), newHierarchy("servers")}
}

const radiusName = "radius.lab"

// enroll makes an active board.
func (s *site) enroll(mac string, eap fleet.EAP, vlan fleet.VLAN) *board {
	b := &board{Device: fleet.Device{MAC: must(fleet.ParseMAC(mac)), State: fleet.Active, EAP: eap, VLAN: vlan}}
	b.renew(s)
	return b
}

// renew gives b another credential and returns the board with the one before;
// the registry's row then admits the new one alone.
func (b *board) renew(s *site) (before board) {
	before = *b
	b.cert, b.password = s.boards.board(b.MAC), "pw"+rand.Text()
	b.Admissions = []fleet.Admission{{Serial: b.cert.serial(), NTHash: ntHash(b.password)}}
	return before
}

// server is the configuration of the site's RADIUS server.
func (s *site) server(eap fleet.EAP) radius.Server {
	c := s.radius.server(radiusName)
	return radius.Server{
		Name:     radiusName,
		Address:  netip.MustParseAddr("127.0.0.1"),
		Port:     1812,
		Chain:    bundle(c.leaf, s.radius.ca),
		Key:      c.keyPEM(),
		BoardsCA: bundle(s.boards.ca),
		Clients:  []radius.Client{{Name: "lab", Net: netip.MustParsePrefix("127.0.0.0/8"), Secret: secret}},
		EAP:      eap,
	}
}

// devices yields what the registry holds of boards.
func devices(boards ...*board) iter.Seq2[fleet.Device, error] {
	return func(yield func(fleet.Device, error) bool) {
		for _, b := range boards {
			if !yield(b.Device, nil) {
				return
			}
		}
	}
}

const all = fleet.TLS | fleet.PEAP | fleet.TTLS
