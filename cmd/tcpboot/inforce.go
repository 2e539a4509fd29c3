package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A noDeliveryError says that nothing lies in boards/ for a board.
type noDeliveryError struct{ place string }

func (e *noDeliveryError) Error() string {
	return e.place + ": no delivery is there: it was purged, or it went elsewhere with --out"
}

// A staleDeliveryError says that what lies in boards/ for a board cannot log in.
type staleDeliveryError struct{ fleet.MAC }

func (e *staleDeliveryError) Error() string {
	return e.MAC.String() + ": the delivery is not of the credential in force"
}

// deliveryInForce reads what was delivered for a board: what a loader is built
// with must be able to log in. A rotation that was cut off it finishes first.
func (s *session) deliveryInForce(d fleet.Device) (delivery.Files, error) {
	files, err := readInForce(s.boards(), d)
	if err == nil {
		return files, nil
	}
	unlock, lockErr := s.lockDeliveries()
	if lockErr != nil {
		return nil, errors.Join(err, lockErr)
	}
	defer unlock()
	if d, err = s.fleet.Device(s.ctx(), d.MAC); err != nil {
		return nil, err
	}
	if _, err := enroll.Finish(s.boards(), d); err != nil {
		return nil, err
	}
	if files, err = readInForce(s.boards(), d); err != nil {
		return nil, s.whereSealed(d, err)
	}
	return files, nil
}

// admitted reports whether a board is admitted by the certificate of that serial.
func admitted(d fleet.Device, serial fleet.Serial) bool {
	return slices.ContainsFunc(d.Admissions, func(a fleet.Admission) bool { return a.Serial == serial })
}

// boards is the site's own outbox.
func (s *session) boards() outbox { return outbox{s.site.Path("boards")} }

func readInForce(box outbox, d fleet.Device) (delivery.Files, error) {
	files, err := readDelivery(box.place(d.MAC))
	if err != nil {
		return nil, err
	}
	cert, err := parseCertificate(files[delivery.CertificateFile])
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", box.place(d.MAC), delivery.CertificateFile, err)
	}
	if len(d.Admissions) == 0 || d.Admissions[0].Serial != pki.SerialOf(cert) {
		return nil, &staleDeliveryError{d.MAC}
	}
	return files, nil
}

// readDelivery reads what was delivered for a board.
func readDelivery(place string) (delivery.Files, error) {
	files := delivery.Files{}
	err := filepath.WalkDir(place, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(place, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &noDeliveryError{place}
	}
	return files, err
}
