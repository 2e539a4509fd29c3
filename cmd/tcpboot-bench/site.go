//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/seal"
	"github.com/tcpboot/tcpboot/pki/site"
)

// writeList writes a list of so many boards, of two vendors' worth of MACs, and
// returns how to read it.
func writeList(path string, n int) (enroll.List, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "mac,name,vlan")
	for i := range n {
		fmt.Fprintf(w, "%s,door %d,%d\n", boardMAC(i), i, 100+i%8)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return nil, err
	}
	return func(yield func(enroll.Request, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(enroll.Request{}, err)
			return
		}
		defer f.Close()
		enroll.ReadCSV("bench", f)(yield)
	}, nil
}

func boardMAC(i int) fleet.MAC {
	mac := binary.BigEndian.AppendUint64(nil, 0x246f_2800_0000+uint64(i)*7)
	return fleet.MAC(mac[2:])
}

// newEnroller makes a site's worth of parties in dir: a registry that syncs each
// transaction, an authority in memory, deliveries in folders or sealed.
func newEnroller(dir string, sealed bool) (*enroll.Enroller, error) {
	boards, err := newAuthority(pki.Boards)
	if err != nil {
		return nil, err
	}
	radius, err := newAuthority(pki.RADIUS)
	if err != nil {
		return nil, err
	}
	f, err := registry.Create(context.Background(), "sqlite:"+filepath.Join(dir, "tcpboot.db"), registry.Options{Who: "bench"})
	if err != nil {
		return nil, err
	}
	var box enroll.Outbox = folders{outbox{filepath.Join(dir, "boards")}}
	if sealed {
		if box, err = newSealedBox(filepath.Join(dir, "boards")); err != nil {
			return nil, err
		}
	}
	network := delivery.Network{SSID: "bench", Host: "update.example.net", Port: 8123}
	return &enroll.Enroller{
		Fleet: f, Boards: boards, Outbox: box, Now: time.Now,
		Defaults: fleet.Device{Hardware: "esp32", Channel: "stable", EAP: fleet.TLS | fleet.PEAP | fleet.TTLS},
		Files: func(c *pki.Credential, d fleet.Device) (delivery.Files, error) {
			return delivery.ForBoard(c, network, radius.Root, d.EAP)
		},
	}, nil
}

func newAuthority(h pki.Hierarchy) (*pki.Authority, error) {
	root, err := custody.Generate(custody.P256)
	if err != nil {
		return nil, err
	}
	ca, err := custody.Generate(custody.P256)
	if err != nil {
		return nil, err
	}
	return pki.NewAuthority(h, "bench", root, ca, pki.DefaultTemplates())
}

// An outbox is for enrolment alone.
type outbox struct{ dir string }

var errNoRotation = errors.New("this outbox is for enrolment alone")

func (outbox) Stage(fleet.MAC, delivery.Files) error              { return errNoRotation }
func (outbox) Staged(fleet.MAC) (s fleet.Serial, _ bool, _ error) { return s, false, errNoRotation }
func (outbox) Promote(fleet.MAC) error                            { return errNoRotation }
func (outbox) Discard(fleet.MAC) error                            { return errNoRotation }

// folders are one per board, as the command's are.
type folders struct{ outbox }

func (o folders) Deliver(batch []delivery.Handout) (func(fleet.MAC) string, error) {
	dirs := make(map[string]map[string][]byte, len(batch))
	for _, h := range batch {
		dirs[filepath.FromSlash(delivery.Path(h.MAC))] = h.Files
	}
	return fleet.MAC.String, site.WriteDirs(o.dir, dirs, 0o600)
}

// A sealedBox is a file per batch, as with the command's --seal.
type sealedBox struct {
	outbox
	to seal.Recipients
}

func newSealedBox(dir string) (b sealedBox, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return b, err
	}
	to, err := seal.Parse(id.Recipient().String())
	return sealedBox{outbox{dir}, to}, errors.Join(err, os.Mkdir(dir, 0o700))
}

func (b sealedBox) Deliver(batch []delivery.Handout) (func(fleet.MAC) string, error) {
	f, err := site.NewFile(filepath.Join(b.dir, batch[0].MAC.String()), 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Abort()
	if err := seal.Write(f, b.to, batch); err != nil {
		return nil, err
	}
	return fleet.MAC.String, f.Commit()
}
