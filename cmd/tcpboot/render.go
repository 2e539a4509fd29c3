package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
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
	if err := s.renderCRL(); err != nil {
		say(s.cli, "certs/boards.crl is not renewed (%v): run `tcpboot crl` where the key can be opened", err)
	}
	return nil
}

// renderRADIUS renders radius/ again, where `radius export` has made one.
func (s *session) renderRADIUS() error {
	unlock, err := s.site.Lock("render")
	if err != nil {
		return err
	}
	defer unlock()
	dir := s.site.Path("radius")
	key, err := os.ReadFile(filepath.Join(dir, "radius.key"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.exportRADIUS(dir, key); err != nil {
		return fmt.Errorf("the registry is changed, but radius/ is not rendered: %w (run `tcpboot radius export`)", err)
	}
	return nil
}

// exportRADIUS writes the FreeRADIUS folder. Every file is complete before the
// first takes its place; the list of boards comes last.
func (s *session) exportRADIUS(dir string, key []byte) (err error) {
	server, err := s.radiusServer(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	var files []*site.File
	defer func() {
		for _, f := range files {
			f.Abort()
		}
	}()
	active := s.fleet.Devices(s.ctx(), registry.Filter{States: []fleet.State{fleet.Active}})
	err = radius.Export(server, active, func(name string, secret bool) (io.WriteCloser, error) {
		f, err := site.NewFile(filepath.Join(dir, name), 0o640)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		return buffered(f), nil
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// radiusServer gathers what the configuration says of the server itself.
func (s *session) radiusServer(key []byte) (radius.Server, error) {
	set := s.site.Settings
	listen, err := netip.ParseAddrPort(set.RADIUS.Listen)
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
	}, err
}

func (s *session) radiusClients() (clients []radius.Client, err error) {
	for _, c := range s.site.Settings.RADIUS.Clients {
		network, err := netip.ParsePrefix(c.Address)
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
		der, thisUpdate, err = boards.CRL(dead, number, previous, time.Now())
		return thisUpdate, err
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := pem.Encode(&out, &pem.Block{Type: "X509 CRL", Bytes: der}); err != nil {
		return err
	}
	return site.WriteFile(s.site.Path("certs", "boards.crl"), out.Bytes(), 0o644)
}
