package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

var restateVerb = &cli.Command{
	Name:  "restate",
	Usage: "state again, by the present release key, what boards get by one before",
	Description: "After `key rotate release`: each release that is offered, or that boards are pinned to,\n" +
		"is proved and stated again under the next sequence. How far its rollout has gone stays,\n" +
		"that it was stopped, and what boards have reported.\n" +
		"What a key has stated that counts no more cannot be told from a thief's: cut it again.",
	Flags:  []cli.Flag{visitsFlag, cacheFlag},
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
	if err := s.recordStops(time.Now()); err != nil {
		return err
	}
	given, err := s.given()
	if err != nil {
		return err
	}
	r := &restater{session: s, given: given, out: []restated{}}
	for _, g := range given { // pins first: a board whose pin ends goes on to the offer, which is above them
		if g.pinned && g.former {
			if _, err := r.again(g.Digest, g.channel, false); err != nil {
				return err
			}
		}
	}
	for _, g := range given {
		if g.offer != nil {
			if err := r.offer(*g.offer); err != nil {
				return err
			}
		}
	}
	return answer(s.cli, r.out, func(w io.Writer) {
		for _, r := range r.out {
			fmt.Fprintf(w, "%s for %s on %s is stated by the present key, sequence %d\n", r.Version, r.Hardware, r.Channel, r.Sequence)
		}
		if len(r.out) == 0 {
			fmt.Fprintln(w, "all that boards get is stated by the present key")
		}
	})
}

// A restater states again what a key from before has stated.
type restater struct {
	*session
	given []gift
	out   []restated
}

func (r *restater) former(manifest fleet.Digest) bool {
	return slices.ContainsFunc(r.given, func(g gift) bool { return g.former && g.Digest == manifest })
}

// offer restates what o offers, and before that what it follows: boards that both
// are for go by the higher sequence. Is it paused, approved or withdrawn meanwhile, that
// stays so, and the next run restates it.
func (r *restater) offer(o fleet.Offer) (err error) {
	seen := o
	followed := o.Previous != nil && r.former(o.Previous.Manifest)
	if !followed && !r.former(o.Manifest) {
		return nil
	}
	if followed {
		p := *o.Previous
		if p, err = r.restated(p); err != nil {
			return err
		}
		o.Previous = &p
	}
	if o, err = r.restated(o); err != nil {
		return err
	}
	return r.fleet.Publish(r.ctx(), seen, o) // now that is offered
}

func (r *restater) restated(o fleet.Offer) (fleet.Offer, error) {
	again, err := r.again(o.Manifest, o.Channel, true)
	if err != nil {
		return o, err
	}
	o.Manifest, o.Sequence = again.Digest, again.Manifest.Sequences[o.Channel]
	return o, nil
}

func (r *restater) again(manifest fleet.Digest, channel string, offered bool) (*release.Release, error) {
	i := slices.IndexFunc(r.given, func(g gift) bool { return g.Digest == manifest && g.channel == channel })
	again, err := r.restate(r.given[i].Release, channel)
	if err != nil {
		return nil, err
	}
	r.out = append(r.out, restated{again.Manifest.Version, again.Manifest.Hardware, channel, again.Manifest.Sequences[channel], again.Digest, offered})
	return again, nil
}
