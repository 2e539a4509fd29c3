package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

var sealVerb = &cli.Command{
	Name:      "seal",
	Usage:     "seal boards' deliveries for a factory, and remove them here",
	ArgsUsage: "MAC... | --all",
	Description: "The deliveries in boards/ go into files that only the recipient opens:\n" +
		"age --decrypt --identity KEY FILE | tar x. Running it again goes on.",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "all", Usage: "the deliveries of every board"},
		&cli.StringSliceFlag{Name: "recipient", Usage: "seal to `AGE1`…, or to those in a file; may be repeated"},
		&cli.PathFlag{Name: "out", Usage: "write to `DIR` instead of the site's boards/"},
	},
	Action: withSite(deviceSeal),
}

// sealAtOnce is how many deliveries go into one file.
const sealAtOnce = 1000

func deviceSeal(s *session) error {
	to, err := recipients(s.cli, "recipient")
	if err != nil {
		return err
	}
	macs, err := s.toSeal()
	if err != nil {
		return err
	}
	files := []string{}
	box := sealedBox{outbox: s.outbox(), s: s, to: to}
	for batch := range slices.Chunk(macs, sealAtOnce) {
		file, err := s.sealBatch(box, batch)
		if err != nil {
			return err
		}
		if file != "" {
			files = append(files, file)
		}
	}
	return answer(s.cli, map[string]any{"sealed": files}, func(w io.Writer) {
		for _, file := range files {
			fmt.Fprintf(w, "sealed in %s\n", file)
		}
	})
}

func (s *session) toSeal() ([]fleet.MAC, error) {
	switch all := s.cli.Bool("all"); {
	case all && s.cli.NArg() > 0:
		return nil, usagef("device seal: want MACs or --all, not both")
	case all:
		return s.boards().older(time.Now())
	}
	return s.macs()
}

// sealBatch seals deliveries, and purges them once the sealed file lasts. With
// --all what nobody can use is passed over.
func (s *session) sealBatch(box sealedBox, macs []fleet.MAC) (file string, err error) {
	unlock, err := s.lockDeliveries()
	if err != nil {
		return "", err
	}
	defer unlock()
	var batch []delivery.Handout
	for _, m := range macs {
		h, err := s.handout(m)
		var stale *staleDeliveryError
		var inactive *notActiveError
		switch {
		case s.cli.Bool("all") && (errors.As(err, &stale) || errors.As(err, &inactive)):
			say(s.cli, "not sealed: %v", err)
		case err != nil:
			return "", err
		default:
			batch = append(batch, h)
		}
	}
	if len(batch) == 0 {
		return "", nil
	}
	where, err := box.Deliver(batch)
	if err != nil {
		return "", err
	}
	for _, h := range batch {
		if _, err := removeWhole(s.boards().place(h.MAC)); err != nil {
			return "", err
		}
	}
	return where(batch[0].MAC), nil
}

// handout reads what lies in boards/ for a board. Its caller holds the lock.
func (s *session) handout(m fleet.MAC) (h delivery.Handout, err error) {
	d, err := s.fleet.Device(s.ctx(), m)
	if err != nil {
		return h, err
	}
	if d.State != fleet.Active {
		return h, &notActiveError{d}
	}
	if _, err := enroll.Finish(s.boards(), d); err != nil {
		return h, err
	}
	files, err := readInForce(s.boards(), d)
	if err != nil {
		return h, s.whereSealed(d, err)
	}
	return delivery.Handout{MAC: m, Serial: d.Admissions[0].Serial, Files: files}, nil
}
