package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/client"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var fetchVerb = &cli.Command{
	Name:  "fetch",
	Usage: "a board without the board: what would this MAC get?",
	Description: "Says who it is, downloads as the board's loader does, checks SHA-1, image and\n" +
		"signature with the site's keys, and says what the board would boot. A server that\n" +
		"stays silent has nothing for that MAC, or does not know it.\n\n" +
		"A board with our loader (level 2) proves itself with the credential in its delivery.\n" +
		"With --kind loader it is its application, which asks for a newer loader.\n" +
		"A download to FILE that was cut off goes on from FILE.part.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "server", Usage: "ask the server at `HOST:PORT` (default: server of tcpboot.yaml)"},
		&cli.StringFlag{Name: "mac", Usage: "be the board `MAC`"},
		kindFlag,
		&cli.PathFlag{Name: "out", Usage: "keep the image in `FILE`"},
		&cli.PathFlag{Name: "credentials", Usage: "of a board with our loader, the delivery is in `DIR` (default: in boards/)"},
		&cli.PathFlag{Name: "renew", Usage: "of a board with our loader, ask for a certificate of a new key, and put both in `DIR`"},
		&cli.DurationFlag{Name: "timeout", Usage: "take silence of `DURATION` for an answer", Value: 10 * time.Second},
	},
	Action: readingSite(fetch),
}

func fetch(s *session) error {
	if err := wantFlag(s.cli, "mac"); err != nil {
		return err
	}
	m, err := fleet.ParseMAC(s.cli.String("mac"))
	if err != nil {
		return usageError{err}
	}
	kind, err := s.kind()
	if err != nil {
		return err
	}
	if err := wantAddress(s.cli, "server"); err != nil {
		return err
	}
	address := s.cli.String("server")
	if address == "" {
		address = s.site.Settings.Server
	}
	if d, err := s.fleet.Device(s.ctx(), m); err == nil && !server.SpeaksV1(d) || kind == sitedoc.Loader || s.cli.IsSet("credentials") || s.cli.IsSet("renew") {
		return errors.Join(err, unreached(s.fetchSecure(d, address)))
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(s.ctx(), "tcp", address)
	if err != nil {
		return unreached(err)
	}
	var v verdict
	image, err := client.Image(s.ctx(), conn, m, client.Limits{Silence: s.cli.Duration("timeout")}, func(image []byte) (err error) {
		v, err = s.judge(image)
		return errors.Join(err, s.forBoard(m, v))
	})
	if err != nil {
		return err
	}
	if out := s.cli.Path("out"); out != "" {
		if err := site.WriteFile(out, image, 0o644); err != nil {
			return err
		}
	}
	return answer(s.cli, v, func(w io.Writer) {
		fmt.Fprintf(w, "%s would boot version %s\n%s\n", m, printable(v.Version), v)
	})
}

// An unreachedError says that no image server was reached.
type unreachedError struct{ error }

func (e *unreachedError) Unwrap() error { return e.error }

func unreached(err error) error {
	if e := new(net.OpError); errors.As(err, &e) && e.Op == "dial" {
		return &unreachedError{err}
	}
	return err
}

// forBoard compares an image's chip with that of the board, where the registry
// knows it.
func (s *session) forBoard(m fleet.MAC, v verdict) error {
	d, err := s.fleet.Device(s.ctx(), m)
	if err != nil {
		return nil // a MAC that nobody enrolled has no chip to compare with
	}
	h, err := s.hardware(d.Hardware)
	if err == nil && v.Chip != "" && h.Chip != v.Chip {
		return fmt.Errorf("the image is for %s, the board is %s", v.Chip, h.Chip)
	}
	return err
}
