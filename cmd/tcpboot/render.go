package main

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
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
	chain, err := s.radiusChain(key)
	if err != nil {
		return radius.Server{}, err
	}
	boards, err := s.boardsCAs()
	return radius.Server{
		Name: pki.RADIUSName(set.Name), Address: listen.Addr(), Port: listen.Port(),
		Chain: chain, Key: key, BoardsCA: boardsPEM(inUse(boards)), Clients: clients, EAP: eap,
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

// radiusBefore is the chain that the RADIUS server's key had before it was rotated.
const radiusBefore = "radius-before.pem"

// radiusChain is the chain of the RADIUS server with that key, or of the present
// key. An export holds the key from before until somebody opens the present one
// for it; meanwhile what it admits must be rendered all the same, and boards take
// the chain from before as well.
func (s *session) radiusChain(key []byte) ([]byte, error) {
	chain, err := s.certificates("radius.pem", "radius-ca.pem")
	if err != nil || key == nil {
		return chain, err
	}
	if _, err := tls.X509KeyPair(chain, key); err == nil {
		return chain, nil
	}
	before, err := s.certificates(radiusBefore)
	if err != nil {
		return chain, nil // whose key this is not, says who compares them
	}
	if _, err := tls.X509KeyPair(before, key); err == nil {
		return before, nil
	}
	return chain, nil
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
