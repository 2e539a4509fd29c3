//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

// requests asks for so many boards, of two vendors' worth of MACs.
func requests(n int) []enroll.Request {
	asked := make([]enroll.Request, n)
	for i := range asked {
		mac := binary.BigEndian.AppendUint64(nil, 0x246f_2800_0000+uint64(i)*7)
		asked[i] = enroll.Request{Where: enroll.Place{List: "bench:", Line: i + 2}, MAC: fleet.MAC(mac[2:]), Name: "door " + strconv.Itoa(i)}
	}
	return asked
}

// newEnroller makes a site's worth of parties in dir: a registry that syncs each
// transaction, an authority in memory, deliveries in folders.
func newEnroller(dir string) (*enroll.Enroller, error) {
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
	network := delivery.Network{SSID: "bench", Host: "update.example.net", Port: 8123}
	return &enroll.Enroller{
		Fleet: f, Boards: boards, Outbox: outbox{filepath.Join(dir, "boards")}, Now: time.Now,
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

// An outbox is folders, as the command's is.
type outbox struct{ dir string }

var errNoRotation = errors.New("this outbox is for enrolment alone")

func (o outbox) Deliver(batch []delivery.Handout) (func(fleet.MAC) string, error) {
	dirs := make(map[string]map[string][]byte, len(batch))
	for _, h := range batch {
		dirs[filepath.FromSlash(delivery.Path(h.MAC))] = h.Files
	}
	return fleet.MAC.String, site.WriteDirs(o.dir, dirs, 0o600)
}

func (outbox) Stage(fleet.MAC, delivery.Files) error              { return errNoRotation }
func (outbox) Staged(fleet.MAC) (s fleet.Serial, _ bool, _ error) { return s, false, errNoRotation }
func (outbox) Promote(fleet.MAC) error                            { return errNoRotation }
func (outbox) Discard(fleet.MAC) error                            { return errNoRotation }
