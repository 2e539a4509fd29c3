package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// moveFlags are those of every verb that changes what boards get.
var moveFlags = []cli.Flag{
	&cli.BoolFlag{Name: "dry-run", Usage: "change nothing; list the boards that would get another release"},
	&cli.BoolFlag{Name: "totals", Usage: "with --dry-run: count them"},
}

// A move is one board, or with --totals so many, that would get another release;
// "" is none.
type move struct {
	MAC    *fleet.MAC `json:"mac,omitempty"`
	Boards int        `json:"boards,omitempty"`
	From   string     `json:"from"`
	To     string     `json:"to"`
}

// dry reports whether the verb shall change nothing.
func dry(c *cli.Context) (bool, error) {
	if c.Bool("totals") && !c.Bool("dry-run") {
		return false, usagef("--totals is for --dry-run")
	}
	return c.Bool("dry-run"), nil
}

// goods are what servers go by now.
func (s *session) goods() (*goods, error) {
	shelf, err := s.shelf()
	if err != nil {
		return nil, err
	}
	if shelf.ledger, err = s.readLedger(); err != nil {
		return nil, err
	}
	_, err = shelf.refresh(s.ctx())
	return shelf.now.Load(), errors.Join(err, shelf.ledger.close())
}

// with is g with another offer in the place that it has on its channel.
func (g *goods) with(o fleet.Offer) *goods {
	h := g.without(o.Hardware, o.Channel)
	h.offers = append(h.offers, o)
	return h
}

func (g *goods) without(hardware, channel string) *goods {
	rest := slices.DeleteFunc(slices.Clone(g.offers), func(o fleet.Offer) bool { return o.Hardware == hardware && o.Channel == channel })
	return &goods{g.catalog, rest}
}

// version is what a board gets of a kind, "" for nothing. That a board is kept from a
// release for some time because it failed is left out: it is not what changes.
func (g *goods) version(kind sitedoc.Kind, d fleet.Device) string {
	choice, err := g.catalog.PickKind(kind, d, g.offers, nil)
	if err != nil {
		return ""
	}
	return choice.Release.Manifest.Version
}

// A mover prints the boards that would move, as it finds them.
type mover struct {
	list   *jsonList
	table  *longTable
	out    *bufio.Writer
	totals map[move]int // nil: every board is listed
	all, n int
}

func (s *session) newMover() *mover {
	m := &mover{out: bufio.NewWriter(s.cli.App.Writer)}
	if s.cli.Bool("totals") {
		m.totals = map[move]int{}
	}
	if s.cli.Bool("json") {
		m.list = &jsonList{w: m.out}
	} else {
		m.table = newLongTable(m.out, map[bool]string{false: "MAC FROM TO", true: "BOARDS FROM TO"}[m.totals != nil], "TO")
	}
	return m
}

func (m *mover) add(d fleet.Device, from, to string) error {
	m.all++
	if from == to {
		return nil
	}
	m.n++
	if m.totals != nil {
		m.totals[move{From: from, To: to}]++
		return nil
	}
	return m.print(move{MAC: &d.MAC, From: from, To: to}, d.MAC.String())
}

func (m *mover) print(v move, first string) error {
	if m.list != nil {
		return m.list.add(v)
	}
	m.table.add(first, v.From, v.To)
	return nil
}

func (m *mover) end(s *session) error {
	var counted []move
	for v, n := range m.totals {
		v.Boards = n
		counted = append(counted, v)
	}
	slices.SortFunc(counted, func(a, b move) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	for _, v := range counted {
		if err := m.print(v, fmt.Sprint(v.Boards)); err != nil {
			return err
		}
	}
	say(s.cli, "dry run: %d of %d boards would get another release", m.n, m.all)
	if m.table != nil {
		return errors.Join(m.table.end(), m.out.Flush())
	}
	m.list.end()
	_, err := io.WriteString(m.out, "\n")
	return errors.Join(err, m.out.Flush())
}

// group finds the boards of a hardware and channel that move when g becomes after.
func (m *mover) group(s *session, hardware, channel string, g, after *goods) error {
	followed, kind := release.FollowedBy(channel)
	f := registry.Filter{Hardware: hardware, Channel: followed, States: []fleet.State{fleet.Active}}
	for d, err := range s.fleet.Devices(s.ctx(), f) {
		if err != nil {
			return err
		}
		if err := m.add(d, g.version(kind, d), after.version(kind, d)); err != nil {
			return err
		}
	}
	return nil
}

// members are the Active ones of a hardware on a channel.
func (s *session) members(hardware, channel string) func(yield func(fleet.MAC, error) bool) {
	f := registry.Filter{Hardware: hardware, Channel: followers(channel), States: []fleet.State{fleet.Active}}
	return func(yield func(fleet.MAC, error) bool) {
		for d, err := range s.fleet.Devices(s.ctx(), f) {
			if !yield(d.MAC, err) {
				return
			}
		}
	}
}

// supposed is a statement of r that stands at a place of a channel, as publishing
// would have it made: in a dry run nothing is signed.
func supposed(r *release.Release, channel string, sequence uint64) *release.Release {
	again := &release.Release{Manifest: r.Manifest, Digest: r.Digest}
	again.Manifest.Sequences = map[string]uint64{channel: sequence}
	again.Digest[0] ^= 0xff // another statement has another digest
	return again
}
