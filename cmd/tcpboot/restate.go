package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

var restateVerb = &cli.Command{
	Name:  "restate",
	Usage: "state again, by the present release key, what boards get by one before",
	Description: "After `key rotate release`: each release that is offered, or that boards are pinned to,\n" +
		"is proved and stated again under the next sequence; how far its rollout has gone stays.\n" +
		"What a key has stated that counts no more cannot be told from a thief's: cut it again.",
	Action: withSite(releaseRestate),
}

// A restated is a release that another key has stated.
type restated struct {
	Version  string       `json:"version"`
	Hardware string       `json:"hardware"`
	Channel  string       `json:"channel"`
	Sequence uint64       `json:"sequence"`
	Manifest fleet.Digest `json:"manifest"`
	Offered  bool         `json:"offered"`
}

func releaseRestate(s *session) error {
	given, err := s.given()
	if err != nil {
		return err
	}
	out := []restated{}
	for _, g := range given {
		if !g.former {
			continue
		}
		again, err := s.restate(g.Release, g.channel)
		if err != nil {
			return err
		}
		sequence := again.Manifest.Sequences[g.channel]
		if g.offer != nil {
			o := *g.offer
			o.Manifest, o.Sequence = again.Digest, sequence
			if err := s.fleet.Publish(s.ctx(), o); err != nil { // now that is offered
				return err
			}
		}
		out = append(out, restated{again.Manifest.Version, again.Manifest.Hardware, g.channel, sequence, again.Digest, g.offer != nil})
	}
	return answer(s.cli, out, func(w io.Writer) {
		for _, r := range out {
			fmt.Fprintf(w, "%s for %s on %s is stated by the present key, sequence %d\n", r.Version, r.Hardware, r.Channel, r.Sequence)
		}
		if len(out) == 0 {
			fmt.Fprintln(w, "all that boards get is stated by the present key")
		}
	})
}
