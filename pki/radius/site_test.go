package radius_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

const all = fleet.TLS | fleet.PEAP | fleet.TTLS

// day is when the tests' credentials were issued.
var day = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A cert is a certificate with its key, in PEM.
type cert struct{ chain, key []byte }

func newCert(leaf *x509.Certificate, key crypto.PrivateKey) cert {
	der := must(x509.MarshalPKCS8PrivateKey(key))
	return cert{pki.CertificatePEM(leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
}

func newKey() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// A site has the three hierarchies.
type site struct{ boards, radius, servers *pki.Authority }

func newSite() *site { return newSiteOf(newKey) }

// newSiteOf makes a site whose keys come from key.
func newSiteOf(key func() crypto.Signer) *site {
	authority := func(h pki.Hierarchy) *pki.Authority {
		return must(pki.NewAuthority(h, "lab", key(), key(), pki.DefaultTemplates()))
	}
	return &site{authority(pki.Boards), authority(pki.RADIUS), authority(pki.Servers)}
}

// certify makes a server certificate of either hierarchy that has them, for a key
// of the kind of its CA.
func certify(a *pki.Authority, name string) cert {
	key := must(custody.Generate(must(custody.KindOf(a.CA.PublicKey))))
	return newCert(must(a.IssueServer(name, key.Public(), day)), key)
}

// server is the configuration of the site's RADIUS server.
func (s *site) server(eap fleet.EAP) radius.Server {
	c := certify(s.radius, pki.RADIUSName("lab"))
	return radius.Server{
		Name:     pki.RADIUSName("lab"),
		Address:  netip.MustParseAddr("127.0.0.1"),
		Port:     1812,
		Chain:    slices.Concat(c.chain, pki.CertificatePEM(s.radius.CA)),
		Key:      c.key,
		BoardsCA: pki.CertificatePEM(s.boards.CA),
		Clients:  []radius.Client{{Name: "lab", Net: netip.MustParsePrefix("127.0.0.0/8"), Secret: secret}},
		EAP:      eap,
	}
}

// A board is one device together with what it proves itself with.
type board struct {
	fleet.Device
	*pki.Credential
	site *site
}

// enroll makes an active board. Its admission always holds the NT hash, so that
// it is the methods that decide.
func (s *site) enroll(mac string, eap fleet.EAP, vlan fleet.VLAN) *board {
	m := must(fleet.ParseMAC(mac))
	b := &board{site: s, Credential: must(s.boards.IssueBoard(m, day))}
	b.Device = fleet.Device{MAC: m, Name: "%{User-Name}\n$INCLUDE x", State: fleet.Active, EAP: eap, VLAN: vlan}
	b.Admissions = []fleet.Admission{b.Credential.Admission(all)}
	return b
}

// rotate gives b another credential, beside which the old one admits until the
// given time, zero for not at all. It returns the board as it was.
func (b *board) rotate(until time.Time) *board {
	before := *b
	b.Credential = must(b.site.boards.IssueBoard(b.Device.MAC, day))
	b.Admissions = []fleet.Admission{b.Credential.Admission(all)}
	if !until.IsZero() {
		old := before.Admissions[0]
		old.Until = until
		b.Admissions = append(b.Admissions, old)
	}
	return &before
}

func (b *board) in(s fleet.State) *board {
	b.State = s
	return b
}

// cert is b's own certificate.
func (b *board) cert() cert { return newCert(b.Certificate, b.Key) }

// forged copies b's certificate, serial number and all, under a CA that differs
// from the true one in nothing but its key.
func (b *board) forged() cert {
	ca := *b.site.boards.CA
	ca.PublicKey = nil
	key, caKey := newKey(), newKey()
	der := must(x509.CreateCertificate(rand.Reader, b.Certificate, &ca, key.Public(), caKey))
	return newCert(must(x509.ParseCertificate(der)), key)
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
