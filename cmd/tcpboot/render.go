package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

// renderAll renders everything that follows from the registry after a
// credential died: RADIUS, which decides, and the CRL, which is for others. The
// CRL needs the boards CA's key; without it the change stands all the same.
func (s *session) renderAll() error {
	if err := s.renderRADIUS(); err != nil {
		return err
	}
	if _, err := s.reloadRADIUS(); err != nil {
		return err
	}
	if err := s.renderCRL(); err != nil {
		say(s.cli, "certs/boards.crl is not renewed (%v): run `tcpboot crl` where the key can be opened", err)
	}
	return nil
}

// radiusServer gathers what the configuration says of the server itself.
func (s *session) radiusServer(key []byte) (radius.Server, error) {
	set := s.site.Settings
	listen, err := netip.ParseAddrPort(anywhere(set.RADIUS.Listen))
	if err != nil {
		return radius.Server{}, fmt.Errorf("tcpboot.yaml: radius.listen: %w", err)
	}
	eap, err := fleet.ParseEAP(set.RADIUS.EAP)
	if err != nil {
		return radius.Server{}, fmt.Errorf("tcpboot.yaml: radius.eap: %w", err)
	}
	clients, err := s.radiusClients()
	if err != nil {
		return radius.Server{}, err
	}
	chain, err := s.certificates("radius.pem", "radius-ca.pem")
	if err != nil {
		return radius.Server{}, err
	}
	boards, err := s.certificates("boards-ca.pem")
	return radius.Server{
		Name: pki.RADIUSName(set.Name), Address: listen.Addr(), Port: listen.Port(),
		Chain: chain, Key: key, BoardsCA: boards, Clients: clients, EAP: eap,
		Loader2017: set.Credentials == rsaCredentials,
	}, err
}

func (s *session) radiusClients() (clients []radius.Client, err error) {
	for _, c := range s.site.Settings.RADIUS.Clients {
		network, err := parseNetwork(c.Address)
		if err != nil {
			return nil, fmt.Errorf("tcpboot.yaml: radius client %s: %w", c.Name, err)
		}
		file := c.SecretFile
		if !filepath.IsAbs(file) {
			file = s.site.Path(file)
		}
		secret, err := readSecretFile(file)
		if err != nil {
			return nil, fmt.Errorf("radius client %s: %w", c.Name, err)
		}
		clients = append(clients, radius.Client{Name: c.Name, Net: network, Secret: strings.TrimSuffix(string(secret), "\n")})
	}
	return clients, nil
}

// anywhere puts an address before a listen setting without one: ":1812".
func anywhere(listen string) string {
	if strings.HasPrefix(listen, ":") {
		return "0.0.0.0" + listen
	}
	return listen
}

// parseNetwork reads a network, or a single address.
func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// certificates reads files of certs/, one behind the other.
func (s *session) certificates(names ...string) ([]byte, error) {
	var all []byte
	for _, name := range names {
		text, err := os.ReadFile(s.site.Path("certs", name))
		if err != nil {
			return nil, err
		}
		all = append(all, text...)
	}
	return all, nil
}

// radiusKey opens the RADIUS server's key and writes it as that server wants it.
func (s *session) radiusKey() ([]byte, error) {
	key, err := s.keys.open("radius")
	if err != nil {
		return nil, err
	}
	return pki.KeyPEM(key)
}

// renderCRL issues the next CRL into certs/boards.crl.
func (s *session) renderCRL() error {
	unlock, err := s.site.Lock("render")
	if err != nil {
		return err
	}
	defer unlock()
	return s.issueCRL()
}

// auditURI names a place in the audit trail, so that a CRL, of which others keep
// copies, bears witness to it:  tcpboot-audit:12:sha256:9f…
func auditURI(h registry.Head) string { return fmt.Sprintf("tcpboot-audit:%d:%s", h.Sequence, h.Hash) }

// issueCRL is renderCRL for those who hold the lock.
func (s *session) issueCRL() error {
	boards, err := s.authority(pki.Boards, true)
	if err != nil {
		return err
	}
	var dead []pki.Revocation
	var der []byte
	err = s.fleet.CRLNumber(s.ctx(), func(number uint64, previous time.Time) (thisUpdate time.Time, err error) {
		dead = dead[:0]
		for r, err := range s.fleet.Revocations(s.ctx()) {
			if err != nil {
				return time.Time{}, err
			}
			dead = append(dead, r)
		}
		head, err := s.fleet.Head(s.ctx())
		if err != nil {
			return time.Time{}, err
		}
		der, thisUpdate, err = boards.CRL(dead, number, previous, time.Now(), auditURI(head))
		return thisUpdate, err
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := pem.Encode(&out, &pem.Block{Type: "X509 CRL", Bytes: der}); err != nil {
		return err
	}
	return site.WriteFile(s.site.Path(crlFile), out.Bytes(), 0o644)
}
