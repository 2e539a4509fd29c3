package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release/server"
)

// secure is what serve needs to speak version 2; nil, and said so, where the key
// of the server cannot be had: the loaders of 2017 need none.
func (s *session) secure(shelf *shelf, visits *registry.Visits, seen *latches, log *slog.Logger) (*server.Secure, error) {
	age, err := s.renewAge()
	if err != nil {
		return nil, err
	}
	id := &identity{s: s, age: age}
	_, err = id.Certificate()
	var away *awayError
	if errors.Is(err, errNoPassphrase) || errors.As(err, &away) {
		log.Warn("version 2 is not spoken: boards with our loader are not served", "error", err)
		return nil, nil
	}
	s.keys.ask = nil // a person at the terminal is asked once
	return &server.Secure{
		Identity: id, Library: shelf, Latches: seen, Renew: renewFrom(visits), Stale: id.stale,
		Reports: func(r fleet.Report) error { return visits.Report(context.Background(), []fleet.Report{r}) },
	}, err
}

// An identity is what the image server proves itself with, and who vouches for
// boards. Both are read again when certs/ has changed: certificates are renewed,
// and keys replaced, while a server runs.
type identity struct {
	s   *session
	age time.Duration // of a board's certificate, before it is to be renewed; 0: none

	mu          sync.Mutex
	stamp       string
	certificate *tls.Certificate
	boards      *x509.CertPool
	present     boardsCA // of the boards: it issues what they renew
}

func (i *identity) Certificate() (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.refresh()
	return i.certificate, err
}

func (i *identity) Boards() (*x509.CertPool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.refresh()
	return i.boards, err
}

// refresh leaves what was read before when there is something wrong with what is
// there now, so that half a change takes no board its server.
func (i *identity) refresh() error {
	stamp, err := i.look()
	if err == nil && stamp == i.stamp {
		return nil
	}
	if err == nil {
		err = i.read()
	}
	if err != nil && i.certificate != nil {
		return nil
	}
	i.stamp = stamp
	return err
}

// look tells one state of certs/ from another.
func (i *identity) look() (stamp string, err error) {
	err = filepath.WalkDir(i.s.site.Path("certs"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			stamp += path + info.ModTime().String()
		}
		return err
	})
	return stamp, err
}

func (i *identity) read() error {
	leaf, err := i.s.certificate("server")
	if err != nil {
		return err
	}
	ca, err := i.s.certificate("servers-ca")
	if err != nil {
		return err
	}
	key, err := i.s.serverKey(leaf)
	if err != nil {
		return err
	}
	cas, err := i.s.boardsCAs()
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	for _, ca := range cas {
		pool.AddCert(ca.CA)
	}
	i.certificate = &tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: key, Leaf: leaf}
	i.boards, i.present = pool, cas[0]
	return nil
}

// serverKey opens the server's key, again when it has been replaced.
func (s *session) serverKey(leaf *x509.Certificate) (crypto.Signer, error) {
	for range 2 {
		key, err := s.keys.open("server")
		if err != nil {
			return nil, err
		}
		if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && public.Equal(leaf.PublicKey) {
			return key, nil
		}
		delete(s.keys.opened, "server")
	}
	return nil, fmt.Errorf("certs/server.pem: not of the key at %s", s.keys.uri("server"))
}
