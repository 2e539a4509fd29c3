package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var everyDevice = registry.Filter{}

var deviceVerb = &cli.Command{
	Name:    "device",
	Aliases: []string{"devices"},
	Usage:   "what the registry knows of the boards",
	Subcommands: []*cli.Command{{
		Name:  "list",
		Usage: "the boards, by MAC",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "state", Usage: "only boards that are `STATE`: pending, active, revoked"},
			&cli.StringFlag{Name: "hardware", Usage: "only boards of hardware `H`"},
			&cli.StringFlag{Name: "channel", Usage: "only boards on channel `CH`"},
			&cli.StringFlag{Name: "match", Usage: "only boards with `TEXT` in their name or MAC"},
		},
		Action: readingSite(deviceList),
	}, {
		Name:         "show",
		Usage:        "one board",
		ArgsUsage:    "MAC",
		BashComplete: completeMACs,
		Action:       readingSite(deviceShow),
	}, {
		Name:         "set",
		Usage:        "change what a board is called, runs or joins",
		ArgsUsage:    "MAC",
		BashComplete: completeMACs,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "name", Usage: "call it `N`"},
			&cli.StringFlag{Name: "hardware", Usage: "it is hardware `H`"},
			&cli.StringFlag{Name: "channel", Usage: "it follows channel `CH`"},
			&cli.StringFlag{Name: "vlan", Usage: "RADIUS puts it into VLAN `ID`; 0 for none"},
			&cli.StringFlag{Name: "eap", Usage: "it may log in by `METHODS`: tls, peap, ttls, with commas"},
			&cli.StringFlag{Name: "pin", Usage: "it gets release `VERSION` whatever its channel offers; \"\" ends that"},
			&cli.IntFlag{Name: "level", Usage: "its loader is of level `N`: 0 that of 2017, 1 one that refuses unsigned updates, 2 ours", DefaultText: "as it is"},
			&cli.StringFlag{Name: "loader-key", Usage: "its loader trusts the app key `NAME`: app-p256, app-p256-1", DefaultText: "the present one, when --level rises from 0"},
			&cli.StringFlag{Name: "loader-version", Usage: "its loader is of version `V`: 2.0.1"},
		}, moveFlags),
		Action: withSite(deviceSet),
	}, sealVerb, purgeVerb},
}

func deviceList(s *session) error {
	f := registry.Filter{Hardware: s.cli.String("hardware"), Channel: s.cli.String("channel"), Match: s.cli.String("match")}
	if state := fleet.State(s.cli.String("state")); state != "" {
		if state != fleet.Pending && state != fleet.Active && state != fleet.Revoked {
			return usagef("--state %q: want pending, active or revoked", state)
		}
		f.States = []fleet.State{state}
	}
	devices := s.fleet.Devices(s.ctx(), f)
	if s.cli.Bool("json") {
		return writeDevices(s.cli.App.Writer, devices)
	}
	t := newLongTable(s.cli.App.Writer, "MAC NAME STATE HARDWARE CHANNEL VLAN EAP", "NAME")
	for d, err := range devices {
		if err != nil {
			return err
		}
		t.add(d.MAC.String(), d.Name, string(d.State), d.Hardware, d.Channel, vlanText(d.VLAN), d.EAP.String())
	}
	if t.empty() {
		say(s.cli, "no such board: `tcpboot enroll MAC` adds one")
	}
	return t.end()
}

// writeDevices writes the boards as one JSON document, one after the other.
func writeDevices(w io.Writer, devices iter.Seq2[fleet.Device, error]) error {
	out := bufio.NewWriter(w)
	list := jsonList{w: out}
	for d, err := range devices {
		if err != nil {
			return err
		}
		if err := list.add(d); err != nil {
			return err
		}
	}
	list.end()
	out.WriteString("\n")
	return out.Flush()
}

func vlanText(v fleet.VLAN) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprint(uint16(v))
}

func deviceShow(s *session) error {
	d, err := s.device(0)
	if err != nil {
		return err
	}
	return answer(s.cli, d, func(w io.Writer) { s.deviceText(w, d) })
}

func (s *session) deviceText(w io.Writer, d fleet.Device) {
	line := func(what, value string) { fmt.Fprintf(w, "%-10s %s\n", what, printable(value)) }
	line("MAC", d.MAC.String())
	line("name", d.Name)
	line("state", string(d.State))
	if d.State == fleet.Revoked {
		line("reason", d.Reason)
	}
	line("hardware", d.Hardware)
	line("channel", d.Channel)
	line("pin", d.Pin.Version)
	line("VLAN", vlanText(d.VLAN))
	line("EAP", d.EAP.String())
	line("loader", s.loaderText(d.Loader))
	line("enrolled", d.Enrolled.UTC().Format(time.DateTime))
	line("changed", d.Changed.UTC().Format(time.DateTime))
	for _, a := range d.Admissions {
		line("serial", a.Serial.String())
		line("issued", a.Issued.UTC().Format(time.DateTime))
	}
}

// device reads the i-th argument as a MAC and looks the board up.
func (s *session) device(i int) (fleet.Device, error) {
	if err := wantArgs(s.cli, 1, "one MAC"); err != nil {
		return fleet.Device{}, err
	}
	m, err := fleet.ParseMAC(s.cli.Args().Get(i))
	if err != nil {
		return fleet.Device{}, usageError{err}
	}
	return s.fleet.Device(s.ctx(), m)
}

func deviceSet(s *session) error {
	if setsLoader(s.cli) { // what boards reported comes before what somebody says now
		if err := s.followLoaders(); err != nil {
			return err
		}
	}
	d, err := s.device(0)
	if err != nil {
		return err
	}
	change, err := s.readChange(d)
	if err != nil {
		return err
	}
	trial, err := dry(s.cli)
	if err != nil {
		return err
	}
	if trial {
		return s.tryDeviceSet(d, change)
	}
	if err := s.fleet.Change(s.ctx(), d.MAC, change); err != nil {
		return err
	}
	if err := s.renderRADIUS(); err != nil {
		return err
	}
	if change.EAP != nil && change.EAP.UsesPassword() && !d.EAP.UsesPassword() {
		say(s.cli, "%s has no registered password yet: `tcpboot rotate %s` gives it one", d.MAC, d.MAC)
	}
	return deviceShow(s)
}

func setsLoader(c *cli.Context) bool {
	return !c.Bool("dry-run") && (c.IsSet("level") || c.IsSet("loader-key") || c.IsSet("loader-version"))
}

// tryDeviceSet lists the board, if it would get another release.
func (s *session) tryDeviceSet(d fleet.Device, change registry.Change) error {
	now, err := s.goods()
	if err != nil {
		return err
	}
	after := d
	assign(&after.Hardware, change.Hardware)
	assign(&after.Channel, change.Channel)
	assign(&after.Pin, change.Pin)
	assign(&after.Loader, change.Loader)
	m := s.newMover()
	return errors.Join(m.add(d, now.version(sitedoc.Firmware, d), now.version(sitedoc.Firmware, after)), m.end(s))
}

func assign[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// readChange makes a Change of the flags that were given.
func (s *session) readChange(d fleet.Device) (registry.Change, error) {
	var ch registry.Change
	c := s.cli
	for _, f := range []struct {
		flag string
		read func(string) error
	}{
		{"name", func(v string) error { ch.Name = &v; return fleet.CheckLabel(v) }},
		{"hardware", func(v string) error { ch.Hardware = &v; return s.knownHardware(v) }},
		{"channel", func(v string) error { ch.Channel = &v; return fleet.CheckName("channel", v) }},
		{"vlan", func(v string) error {
			if v == "0" {
				v = ""
			}
			vlan, err := fleet.ParseVLAN(v)
			ch.VLAN = &vlan
			return err
		}},
		{"eap", func(v string) error {
			e, err := fleet.ParseEAP(v)
			ch.EAP = &e
			return err
		}},
		{"pin", func(v string) error { ch.Pin = &fleet.Pin{Version: v}; return optionalName("version", v) }},
		{"level", func(string) error { return s.changeLevel(&ch, d) }},
		{"loader-key", func(v string) error { return s.changeLoaderKey(&ch, d, v) }},
		{"loader-version", func(v string) error {
			loaderOf(&ch, d).Version = v
			return fleet.CheckName("loader version", v)
		}},
	} {
		if c.IsSet(f.flag) {
			if err := f.read(c.String(f.flag)); err != nil {
				return ch, usageError{err}
			}
		}
	}
	if ch == (registry.Change{}) {
		return ch, usagef("device set: nothing to set (see --help)")
	}
	return ch, nil
}

func optionalName(kind, v string) error {
	if v == "" {
		return nil
	}
	return fleet.CheckName(kind, v)
}
