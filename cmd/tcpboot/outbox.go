package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
)

// An outbox keeps deliveries in folders: DIR/<last octet>/<mac>, so that a
// million of them do not lie in one folder. A staged one has ".next" behind.
type outbox struct{ dir string }

// outbox is the folder of --out, or the site's boards/.
func (s *session) outbox() outbox {
	if out := s.cli.Path("out"); out != "" {
		return outbox{out}
	}
	return s.boards()
}

func (o outbox) place(m fleet.MAC) string { return filepath.Join(o.dir, delivery.Path(m)) }
func (o outbox) next(m fleet.MAC) string  { return o.place(m) + ".next" }

func (o outbox) Deliver(batch []delivery.Handout) (func(fleet.MAC) string, error) {
	dirs := make(map[string]map[string][]byte, len(batch))
	for _, h := range batch {
		dirs[filepath.FromSlash(delivery.Path(h.MAC))] = h.Files
	}
	return o.place, site.WriteDirs(o.dir, dirs, 0o600)
}

func (o outbox) Stage(m fleet.MAC, f delivery.Files) error {
	return site.WriteDir(o.next(m), f, 0o600)
}

func (o outbox) Staged(m fleet.MAC) (serial fleet.Serial, ok bool, err error) {
	return serialIn(o.next(m))
}

// serialIn is the serial of the certificate in a delivery; false when there is none.
func serialIn(folder string) (serial fleet.Serial, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(folder, delivery.CertificateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return serial, false, nil
	}
	if err != nil {
		return serial, false, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return serial, false, fmt.Errorf("%s: no certificate in it", folder)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return serial, false, fmt.Errorf("%s: %w", folder, err)
	}
	return pki.SerialOf(cert), true, nil
}

func (o outbox) Promote(m fleet.MAC) error { return site.ReplaceDir(o.next(m), o.place(m)) }

func (o outbox) Discard(m fleet.MAC) error { return os.RemoveAll(o.next(m)) }

// lockDeliveries waits until nobody else changes deliveries. Who waits stands at
// a gate meanwhile, so that a long enrolment, which comes again for each batch,
// lets others in between.
func (s *session) lockDeliveries() (unlock func(), err error) {
	pass, err := s.site.Lock("deliver-next")
	if err != nil {
		return nil, err
	}
	defer pass()
	return s.site.Lock("deliver")
}
