package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
)

var enrollVerb = &cli.Command{
	Name:      "enroll",
	Usage:     "give boards credentials, and make RADIUS admit them",
	ArgsUsage: "MAC...",
	Description: "A list has a header line that names its columns: mac, and any of name, hardware,\n" +
		"chip, channel, vlan. All of it is checked before the first board is touched.\n" +
		"Running the same command again finishes what was cut off. With --seal no secret\n" +
		"touches the disk in the clear: age --decrypt --identity KEY FILE | tar x opens a file.",
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "enrol the boards of a CSV `FILE`; - is stdin"},
		&cli.StringFlag{Name: "name", Usage: "call the board `N`"},
		&cli.StringFlag{Name: "hardware", Usage: "it is hardware `H` of tcpboot.yaml"},
		&cli.StringFlag{Name: "chip", Usage: "add the hardware, with chip `C`, when it is not in tcpboot.yaml"},
		&cli.StringFlag{Name: "channel", Usage: "it follows channel `CH`"},
		&cli.StringFlag{Name: "vlan", Usage: "RADIUS puts it into VLAN `ID`"},
		&cli.StringFlag{Name: "eap", Usage: "it may log in by `METHODS`: tls, peap, ttls, with commas (default: the site's)"},
		&cli.PathFlag{Name: "out", Usage: "deliver to `DIR` instead of the site's boards/"},
		&cli.StringSliceFlag{Name: "seal", Usage: "deliver sealed, a file per thousand boards, to the age recipient `AGE1`…, or to those in a file; may be repeated"},
		&cli.BoolFlag{Name: "dry-run", Usage: "check everything, say what would be done, and do nothing"},
	}, nvsFlags[:2]...),
	Action: func(c *cli.Context) error {
		if c.Bool("dry-run") {
			return readingSite(wouldEnroll)(c)
		}
		return withSite(enrollBoards)(c)
	},
}

func enrollBoards(s *session) error {
	w, err := s.planEnrolment()
	if err != nil {
		return err
	}
	defer w.list.Close()
	e := w.Enroller
	if e.Boards, err = s.authority(pki.Boards, true); err != nil {
		return err
	}
	if len(w.hardware.added) > 0 {
		if err := s.site.AddHardware(w.hardware.added); err != nil {
			return err
		}
	}
	bar := newProgress(s.cli, "enrolling")
	e.Progress = bar.update
	out := newEnrolled(s)
	err = e.Carry(s.ctx(), w.plan, out.add)
	bar.done()
	if err := errors.Join(err, s.renderRADIUS()); err != nil {
		return errors.Join(err, out.breakOff())
	}
	return out.end(e, w.plan)
}

// wouldEnroll is what --dry-run does.
func wouldEnroll(s *session) error {
	w, err := s.planEnrolment()
	if err != nil {
		return err
	}
	defer w.list.Close()
	return w.printPlan(s)
}

// A wish is what an enrolment is asked for, checked.
type wish struct {
	*enroll.Enroller // without a key
	list             *spool
	hardware         *hardwareCheck
	plan             *enroll.Plan
}

// planEnrolment checks everything that is asked for. Nothing is changed, and no key
// opened, for a list that is refused.
func (s *session) planEnrolment() (w *wish, err error) {
	list, common, err := s.readRequests()
	if err != nil {
		return nil, err
	}
	w = &wish{list: list, hardware: &hardwareCheck{s, s.defaultHardware(), map[string]site.Hardware{}}}
	if w.Enroller, err = s.planner(); err == nil {
		err = w.chooseDelivery(s)
	}
	if err == nil {
		bar := newProgress(s.cli, "checking")
		w.plan, err = w.Plan(s.ctx(), w.hardware.known(withCommon(bar.watch(list.requests), common)))
		bar.done()
	}
	if err != nil {
		list.Close()
		return nil, err
	}
	return w, nil
}

// chooseDelivery sees to what is handed out, and in which form.
func (w *wish) chooseDelivery(s *session) error {
	if s.cli.IsSet("seal") {
		to, err := recipients(s.cli, "seal")
		if err != nil {
			return err
		}
		w.Outbox = sealedBox{outbox: s.outbox(), s: s, to: to, replace: true}
	}
	if !s.cli.Bool("nvs") {
		return nil
	}
	radius, err := s.authority(pki.RADIUS, false)
	if err != nil {
		return err
	}
	size, err := nvsSize(s.cli, 0)
	w.Files = withNVS(w.Files, s.network(), radius.Root, size)
	return err
}

// readRequests makes a list of the arguments, or opens the one that is named.
func (s *session) readRequests() (list *spool, common enroll.Request, err error) {
	c := s.cli
	if common, err = readCommon(c); err != nil {
		return nil, common, err
	}
	from := c.String("from")
	switch {
	case from == "" && c.NArg() == 0:
		err = usagef("enroll: want MACs, or --from FILE")
	case from != "" && c.NArg() > 0:
		err = usagef("enroll: want MACs or --from, not both")
	case c.NArg() > 1 && common.Name != "":
		err = usagef("enroll: --name names one board, and there are %d", c.NArg())
	case from != "" && common.Name != "":
		err = usagef("enroll: --name names one board; a list has a column for it")
	case from == "-":
		list, err = newSpool("stdin", io.NopCloser(c.App.Reader))
	case from != "":
		var f *os.File
		if f, err = os.Open(from); err == nil {
			list, err = newSpool(from, f)
		}
	default:
		list, err = s.listArguments()
	}
	return list, common, err
}

// listArguments makes a list of the arguments.
func (s *session) listArguments() (*spool, error) {
	var asked []enroll.Request
	for i, arg := range s.cli.Args().Slice() {
		m, err := fleet.ParseMAC(arg)
		if err != nil {
			return nil, usageError{err}
		}
		asked = append(asked, enroll.Request{Where: enroll.Place{List: "argument ", Line: i + 1}, MAC: m})
	}
	return &spool{few: asked}, nil
}

// readCommon reads the flags that hold for every board of the command.
func readCommon(c *cli.Context) (r enroll.Request, err error) {
	r.Name, r.Hardware, r.Channel = c.String("name"), c.String("hardware"), c.String("channel")
	if err := fleet.CheckLabel(r.Name); err != nil {
		return r, usageError{err}
	}
	for kind, v := range map[string]string{"hardware": r.Hardware, "channel": r.Channel} {
		if err := optionalName(kind, v); err != nil {
			return r, usageError{err}
		}
	}
	if r.VLAN, err = fleet.ParseVLAN(c.String("vlan")); err != nil {
		return r, usageError{err}
	}
	if chip := c.String("chip"); chip != "" {
		if r.Chip, err = fleet.ParseChip(chip); err != nil {
			return r, usageError{err}
		}
	}
	if methods := c.String("eap"); methods != "" {
		if r.EAP, err = fleet.ParseEAP(methods); err != nil {
			return r, usageError{err}
		}
	}
	return r, nil
}

// withCommon fills what the requests of a list leave open from the flags.
func withCommon(list enroll.List, common enroll.Request) enroll.List {
	return func(yield func(enroll.Request, error) bool) {
		for r, err := range list {
			r.Name = cmp.Or(r.Name, common.Name)
			r.Hardware = cmp.Or(r.Hardware, common.Hardware)
			r.Chip = cmp.Or(r.Chip, common.Chip)
			r.Channel = cmp.Or(r.Channel, common.Channel)
			r.VLAN = cmp.Or(r.VLAN, common.VLAN)
			r.EAP = cmp.Or(r.EAP, common.EAP)
			if !yield(r, err) {
				return
			}
		}
	}
}

// A hardwareCheck refuses hardware that the settings do not know, unless the
// request names its chip: then the entry is to be added to the settings, once
// nothing else speaks against the requests.
type hardwareCheck struct {
	*session
	standard string // what a board is when nobody says, before any is added
	added    map[string]site.Hardware
}

// known is the list with errors in the place of requests for unknown hardware.
func (h *hardwareCheck) known(list enroll.List) enroll.List {
	return func(yield func(enroll.Request, error) bool) {
		for r, err := range list {
			if err == nil {
				err = h.check(r)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (h *hardwareCheck) check(r enroll.Request) error {
	name := cmp.Or(r.Hardware, h.standard)
	has, known := h.site.Settings.Hardware[name]
	if !known {
		has, known = h.added[name]
	}
	switch {
	case known && r.Chip != "" && string(r.Chip) != has.Chip:
		return fmt.Errorf("%s: hardware %s has chip %s, not %s", r.Where, name, has.Chip, r.Chip)
	case known:
		return nil
	case r.Chip != "" && !r.Chip.WiFi():
		return fmt.Errorf("%s: chip %s has no Wi-Fi of its own to enrol it for", r.Where, r.Chip)
	case r.Chip == "":
		return fmt.Errorf("%s: %w", r.Where, h.knownHardware(name))
	}
	h.added[name] = site.DefaultHardware(string(r.Chip))
	return nil
}

// An unknownHardwareError names the hardware that the settings do know.
type unknownHardwareError struct {
	name  string
	known []string
}

func (e *unknownHardwareError) Error() string {
	return fmt.Sprintf("hardware %q is not in tcpboot.yaml, which has %v", e.name, e.known)
}

func (s *session) knownHardware(name string) error {
	if _, ok := s.site.Settings.Hardware[name]; ok {
		return nil
	}
	var known []string
	for n := range s.site.Settings.Hardware {
		known = append(known, n)
	}
	slices.Sort(known)
	return &unknownHardwareError{name, known}
}

// defaultHardware is what a board is when nobody says: "esp32", or the only one.
func (s *session) defaultHardware() string {
	if hw := s.site.Settings.Hardware; len(hw) == 1 {
		for name := range hw {
			return name
		}
	}
	return "esp32"
}

// enroller introduces the packages to each other.
func (s *session) enroller() (*enroll.Enroller, error) {
	e, err := s.planner()
	if err != nil {
		return nil, err
	}
	e.Boards, err = s.authority(pki.Boards, true)
	return e, err
}

// planner is an enroller that can only plan yet: it opens no key.
func (s *session) planner() (*enroll.Enroller, error) {
	eap, err := fleet.ParseEAP(s.site.Settings.RADIUS.EAP)
	if err != nil {
		return nil, fmt.Errorf("tcpboot.yaml: radius.eap: %w", err)
	}
	radius, err := s.authority(pki.RADIUS, false)
	if err != nil {
		return nil, err
	}
	network := s.network()
	return &enroll.Enroller{
		Fleet: s.fleet, Outbox: s.outbox(), Now: time.Now, Lock: s.lockDeliveries,
		Defaults: fleet.Device{Hardware: s.defaultHardware(), Channel: s.site.Settings.Channel, EAP: eap},
		Files: func(c *pki.Credential, d fleet.Device) (delivery.Files, error) {
			return delivery.ForBoard(c, network, radius.Root, d.EAP)
		},
	}, nil
}

// network is where boards go.
func (s *session) network() delivery.Network {
	host, port := s.site.Settings.ServerAddr()
	return delivery.Network{SSID: s.site.Settings.SSID, Host: host, Port: port}
}
