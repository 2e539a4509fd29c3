package radius

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// check refuses what cannot stand in the files.
func (s Server) check() error {
	switch {
	case !s.Address.IsValid() || s.Address.Zone() != "" || s.Address.Is4In6():
		return fmt.Errorf("RADIUS address %s: want an IPv4 or IPv6 address without a zone", s.Address)
	case s.Port == 0:
		return errors.New("RADIUS port 0: want 1 to 65535")
	case s.EAP == 0 || s.EAP&^(fleet.TLS|fleet.PEAP|fleet.TTLS) != 0:
		return errors.New("EAP methods: want tls, peap, ttls or several")
	}
	names := make(map[string]bool)
	nets := make(map[netip.Prefix]bool)
	for _, c := range s.Clients {
		if err := c.check(); err != nil {
			return err
		}
		if names[c.Name] || nets[c.Net] {
			return fmt.Errorf("RADIUS client %s: name or network %s given twice", c.Name, c.Net)
		}
		names[c.Name], nets[c.Net] = true, true
	}
	return nil
}

func (c Client) check() error {
	if err := fleet.CheckName("RADIUS client", c.Name); err != nil {
		return err
	}
	if !c.Net.IsValid() || c.Net != c.Net.Masked() || c.Net.Addr().Is4In6() {
		return fmt.Errorf("RADIUS client %s: network %s: want an address and a prefix length, host bits zero", c.Name, c.Net)
	}
	if len(c.Secret) < 8 || len(c.Secret) > 128 {
		return fmt.Errorf("RADIUS client %s: secret of %d characters: want 8 to 128", c.Name, len(c.Secret))
	}
	if strings.ContainsFunc(c.Secret, func(r rune) bool { return !plain(r) }) {
		return fmt.Errorf("RADIUS client %s: secret: want letters, digits and %s only", c.Name, punctuation)
	}
	return nil
}

// punctuation needs no quoting in a FreeRADIUS string; quotes, backslash, $, %,
// #, braces and blanks do.
const punctuation = "!&()*+,-./:;<=>?@[]^_|~"

func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(punctuation, r)
}

// identity returns the server's chain and key as PEM of our own making: nothing
// else that stood in the input gets into the folder.
func (s Server) identity() (chain, key []byte, err error) {
	pair, err := tls.X509KeyPair(s.Chain, s.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("RADIUS certificate and key: %w", err)
	}
	if err := serves(pair.Leaf, s.Name); err != nil {
		return nil, nil, err
	}
	if _, ok := pair.PrivateKey.(*rsa.PrivateKey); s.Loader2017 && !ok {
		return nil, nil, errors.New("RADIUS key: not RSA, and loaders of 2017 know nothing else")
	}
	certificates, err := parse(s.Chain)
	if err != nil {
		return nil, nil, fmt.Errorf("RADIUS certificate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("RADIUS key: %w", err)
	}
	return pki.CertificatePEM(certificates...), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// serves says why boards would not take c for the RADIUS server.
func serves(c *x509.Certificate, name string) error {
	if err := fleet.CheckName("RADIUS name", name); err != nil {
		return err
	}
	if err := c.VerifyHostname(name); err != nil {
		return fmt.Errorf("RADIUS certificate: %w", err)
	}
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		return errors.New("RADIUS certificate: not one for servers (extended key usage)")
	}
	return nil
}

// issuers returns the CAs of board certificates as PEM of our own making.
func (s Server) issuers() ([]byte, error) {
	cas, err := parse(s.BoardsCA)
	if err != nil {
		return nil, fmt.Errorf("boards CA: %w", err)
	}
	for _, ca := range cas {
		if err := issues(ca); err != nil {
			return nil, fmt.Errorf("boards CA %q: %w", ca.Subject.CommonName, err)
		}
	}
	return pki.CertificatePEM(cas...), nil
}

// parse reads one certificate or more in PEM.
func parse(text []byte) (list []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if list == nil {
		return nil, errors.New("no certificate in PEM")
	}
	return list, nil
}

// issues says why c should not stand among the CAs of board certificates. The
// server takes every certificate there for an anchor, so a root would also admit
// what its other CAs issue.
func issues(c *x509.Certificate) error {
	if !c.IsCA || !c.BasicConstraintsValid {
		return errors.New("not a CA")
	}
	if bytes.Equal(c.RawSubject, c.RawIssuer) {
		return errors.New("a root: want the CAs that issue")
	}
	return nil
}
