package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/client"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A fetched is what fetch says of version 2.
type fetched struct {
	verdict
	Release string        `json:"release"`
	Epoch   uint64        `json:"epoch"` // of the site document that the board trusts now
	Parts   []fetchedPart `json:"components"`
}

type fetchedPart struct {
	Name    string       `json:"name"`
	Digest  fleet.Digest `json:"digest"`
	Bytes   int64        `json:"bytes"`
	Resumed int64        `json:"resumed"` // of those, that were there from an earlier try
}

// fetchSecure is a board that has just been flashed: it trusts the first site
// document and has installed nothing.
func (s *session) fetchSecure(d fleet.Device, address string) error {
	srv, err := s.imageServer(d, address)
	if err != nil {
		return err
	}
	defer srv.Close()
	if dir := s.cli.Path("renew"); dir != "" {
		return s.renewAt(srv, d, dir)
	}
	b, err := s.newBoard(d)
	if err != nil {
		return err
	}
	r, err := srv.Ask(s.ctx(), b)
	if err != nil {
		return fmt.Errorf("fetch as %s: %w", d.MAC, err)
	}
	f := fetched{Release: r.Manifest.Version, Epoch: b.Trust.Epoch}
	for _, c := range r.Manifest.Components() {
		if err := s.fetchComponent(srv, c, &f); err != nil {
			return fmt.Errorf("fetch as %s: %w", d.MAC, err)
		}
	}
	return answer(s.cli, f, func(w io.Writer) { f.text(w, d.MAC) })
}

// renewAt asks for a certificate of a new key as the board would, and puts both
// where a delivery has them. A run that was cut off asks for the same key again.
func (s *session) renewAt(srv *client.Server, d fleet.Device, dir string) error {
	key, request, err := requestIn(dir, d.MAC, custody.Kind(s.site.Settings.Credentials))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx(), s.cli.Duration("timeout"))
	defer cancel()
	der, err := srv.Renew(ctx, request)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errNotIssued
	}
	if err != nil {
		return fmt.Errorf("renew as %s: %w", d.MAC, err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("renew as %s: %w", d.MAC, err)
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(c.PublicKey) {
		return fmt.Errorf("renew as %s: a certificate of another key", d.MAC)
	}
	if err := site.WriteFile(filepath.Join(dir, delivery.CertificateFile), pki.CertificatePEM(c), 0o600); err != nil {
		return err
	}
	serial := pki.SerialOf(c)
	return answer(s.cli, map[string]any{"mac": d.MAC, "serial": serial, "out": dir}, func(w io.Writer) {
		fmt.Fprintf(w, "%s has certificate %s, in %s\n", d.MAC, serial, dir)
	})
}

var errNotIssued = errors.New("the request is with the server, the certificate is not issued yet")

// requestIn makes a key in dir, unless one is there, and a request for it.
func requestIn(dir string, m fleet.MAC, kind custody.Kind) (crypto.Signer, []byte, error) {
	file := filepath.Join(dir, delivery.KeyFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, nil, err
	}
	key, err := keyIn(file, kind)
	if err != nil {
		return nil, nil, err
	}
	shape := x509.CertificateRequest{Subject: pkix.Name{CommonName: m.String()}}
	request, err := x509.CreateCertificateRequest(rand.Reader, &shape, key)
	return key, request, err
}

func keyIn(file string, kind custody.Kind) (crypto.Signer, error) {
	text, err := os.ReadFile(file)
	if err == nil {
		return parseBoardKey(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := custody.Generate(kind)
	if err != nil {
		return nil, err
	}
	if text, err = pki.KeyPEM(key); err != nil {
		return nil, err
	}
	return key, site.WriteFile(file, text, 0o600)
}

// fetchComponent fetches one component to where --out says, or to memory.
func (s *session) fetchComponent(srv *client.Server, c release.Component, f *fetched) error {
	flash, commit, err := s.flashFor(c)
	if err != nil {
		return err
	}
	defer flash.Close()
	got, err := srv.Fetch(s.ctx(), c, flash)
	if err != nil {
		return err
	}
	f.Parts = append(f.Parts, fetchedPart{c.Name, c.Digest, c.Size, got.Resumed})
	if c.Name == release.AppComponent {
		image := make([]byte, c.Size)
		if _, err := flash.ReadAt(image, 0); err != nil {
			return err
		}
		if f.verdict, err = s.judge(image); err != nil {
			return err
		}
	}
	return commit()
}

// A flash is where a board writes to.
type flash interface {
	client.Flash
	io.Closer
}

// flashFor returns where to write c, and what to call when it is there: the image
// goes to FILE, another component to FILE.NAME.
func (s *session) flashFor(c release.Component) (flash, func() error, error) {
	out := s.cli.Path("out")
	if out == "" {
		return &memoryFlash{}, func() error { return nil }, nil
	}
	if c.Name != release.AppComponent {
		out += "." + c.Name
	}
	part, err := site.OpenPart(out)
	if err != nil {
		return nil, nil, err
	}
	return part, func() error { return part.Commit(c.Size) }, nil
}

// A memoryFlash keeps what is written in one go.
type memoryFlash struct{ data []byte }

func (m *memoryFlash) Close() error { return nil }

func (m *memoryFlash) ReadAt(b []byte, offset int64) (int, error) {
	return bytes.NewReader(m.data).ReadAt(b, offset)
}

func (m *memoryFlash) WriteAt(b []byte, offset int64) (int, error) {
	if offset != int64(len(m.data)) {
		return 0, errors.New("written out of order")
	}
	m.data = append(m.data, b...)
	return len(b), nil
}

// imageServer is the server as the board d sees it, with the credential that was
// delivered for it.
func (s *session) imageServer(d fleet.Device, address string) (*client.Server, error) {
	files, err := s.credentials(d)
	if err != nil {
		return nil, err
	}
	cert, err := parseCertificate(files[delivery.CertificateFile])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", delivery.CertificateFile, err)
	}
	key, err := parseBoardKey(files[delivery.KeyFile])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", delivery.KeyFile, err)
	}
	root, err := s.certificate(string(pki.Servers) + "-root")
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return client.Secure(address, client.Identity{
		Certificate: tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert},
		Servers:     roots,
		Name:        pki.UpdateName(s.site.Settings.Name),
	}, client.Limits{Silence: s.cli.Duration("timeout")}), nil
}

// credentials are the delivery in the folder that was named, or in the site. Is what
// was named of use? That is for the server to say.
func (s *session) credentials(d fleet.Device) (delivery.Files, error) {
	if dir := s.cli.Path("credentials"); dir != "" {
		return readDelivery(dir)
	}
	serial, ok, err := serialIn(s.boards().place(d.MAC))
	if err == nil && ok && d.State == fleet.Active && !admitted(d, serial) {
		err = &staleDeliveryError{d.MAC}
	}
	if err != nil {
		return nil, err
	}
	return readDelivery(s.boards().place(d.MAC))
}

// newBoard is the board d as it leaves the factory.
func (s *session) newBoard(d fleet.Device) (*client.Board, error) {
	h, err := s.hardware(d.Hardware)
	if err != nil {
		return nil, err
	}
	root, err := s.firstRoots()
	if err != nil {
		return nil, err
	}
	signed, err := os.ReadFile(documentFile(s.site, 1))
	if err != nil {
		return nil, err
	}
	doc, err := sitedoc.Verify(signed, root)
	if err != nil {
		return nil, err
	}
	loader := d.Loader.Version
	if loader == "" {
		loader = "2.0.0"
	}
	return &client.Board{Trust: doc, Board: release.Board{
		Kind: sitedoc.Kind(s.cli.String("kind")), Site: doc.Site, Hardware: d.Hardware, Chip: h.Chip, Channel: d.Channel, Loader: loader,
	}}, nil
}

func (f fetched) text(w io.Writer, m fleet.MAC) {
	fmt.Fprintf(w, "%s would install version %s\n%s\n", m, printable(f.Release), f.verdict)
	for _, p := range f.Parts {
		if p.Resumed > 0 {
			fmt.Fprintf(w, "%s: %d of %d bytes were there already\n", p.Name, p.Resumed, p.Bytes)
		}
	}
}
