package main

import (
	"cmp"
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
		"chip, channel, vlan. Running the same command again finishes what was cut off.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "enrol the boards of a CSV `FILE`; - is stdin"},
		&cli.StringFlag{Name: "name", Usage: "call the board `N`"},
		&cli.StringFlag{Name: "hardware", Usage: "it is hardware `H` of tcpboot.yaml"},
		&cli.StringFlag{Name: "chip", Usage: "add the hardware, with chip `C`, when it is not in tcpboot.yaml"},
		&cli.StringFlag{Name: "channel", Usage: "it follows channel `CH`"},
		&cli.StringFlag{Name: "vlan", Usage: "RADIUS puts it into VLAN `ID`"},
		&cli.StringFlag{Name: "eap", Usage: "it may log in by `METHODS`: tls, peap, ttls, with commas (default: the site's)"},
		&cli.PathFlag{Name: "out", Usage: "deliver to `DIR` instead of the site's boards/"},
	},
	Action: withSite(enrollBoards),
}

func enrollBoards(s *session) error {
	asked, err := s.readRequests()
	if err != nil {
		return err
	}
	e, err := s.enroller() // before hardware is added: the default is that of now
	if err != nil {
		return err
	}
	if err := s.settleHardware(asked, e); err != nil {
		return err
	}
	bar := newProgress(s.cli, "enrolling")
	e.Progress = bar.update
	enrolled, skipped, err := e.Enroll(s.ctx(), asked)
	bar.done()
	if err != nil {
		return err
	}
	if err := s.renderRADIUS(); err != nil {
		return err
	}
	return s.printEnrolled(enrolled, skipped)
}

func (s *session) printEnrolled(enrolled, skipped []fleet.Device) error {
	type result struct {
		fleet.Device
		Delivery string `json:"delivery"`
	}
	out := struct {
		Enrolled []result       `json:"enrolled"`
		Skipped  []fleet.Device `json:"skipped"`
	}{[]result{}, emptyNotNull(skipped)}
	for _, d := range enrolled {
		out.Enrolled = append(out.Enrolled, result{d, s.outbox().place(d.MAC)})
	}
	return answer(s.cli, out, func(w io.Writer) {
		for _, r := range out.Enrolled {
			fmt.Fprintf(w, "%s enrolled, delivery in %s\n", r.MAC, r.Delivery)
		}
		for _, d := range skipped {
			fmt.Fprintf(w, "%s is enrolled already, as asked\n", d.MAC)
		}
	})
}

// readRequests makes requests of the arguments, or of the list.
func (s *session) readRequests() ([]enroll.Request, error) {
	c := s.cli
	common, err := readCommon(c)
	if err != nil {
		return nil, err
	}
	from := c.String("from")
	switch {
	case from == "" && c.NArg() == 0:
		return nil, usagef("enroll: want MACs, or --from FILE")
	case from != "" && c.NArg() > 0:
		return nil, usagef("enroll: want MACs or --from, not both")
	case c.NArg() > 1 && common.Name != "":
		return nil, usagef("enroll: --name names one board, and there are %d", c.NArg())
	case from != "" && common.Name != "":
		return nil, usagef("enroll: --name names one board; a list has a column for it")
	case from != "":
		rows, err := s.readList(from)
		for i := range rows {
			rows[i] = withCommon(rows[i], common)
		}
		return rows, err
	}
	var asked []enroll.Request
	for i, arg := range c.Args().Slice() {
		r := common
		r.Where = fmt.Sprintf("argument %d", i+1)
		if r.MAC, err = fleet.ParseMAC(arg); err != nil {
			return nil, usageError{err}
		}
		asked = append(asked, r)
	}
	return asked, nil
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

// withCommon fills what a line of a list leaves open from the flags.
func withCommon(r, common enroll.Request) enroll.Request {
	r.Hardware = cmp.Or(r.Hardware, common.Hardware)
	r.Chip = cmp.Or(r.Chip, common.Chip)
	r.Channel = cmp.Or(r.Channel, common.Channel)
	r.VLAN = cmp.Or(r.VLAN, common.VLAN)
	r.EAP = cmp.Or(r.EAP, common.EAP)
	return r
}

func (s *session) readList(from string) ([]enroll.Request, error) {
	if from == "-" {
		return enroll.ReadCSV("stdin", s.cli.App.Reader)
	}
	f, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return enroll.ReadCSV(from, f)
}

// settleHardware refuses hardware that the settings do not know, unless the
// request names its chip: then the entry is added to the settings, once nothing
// else speaks against the requests.
func (s *session) settleHardware(asked []enroll.Request, e *enroll.Enroller) error {
	added := map[string]site.Hardware{}
	for _, r := range asked {
		name := cmp.Or(r.Hardware, s.defaultHardware())
		has, known := s.site.Settings.Hardware[name]
		if !known {
			has, known = added[name]
		}
		switch {
		case known && r.Chip != "" && string(r.Chip) != has.Chip:
			return fmt.Errorf("%s: hardware %s has chip %s, not %s", r.Where, name, has.Chip, r.Chip)
		case known:
		case r.Chip != "" && !r.Chip.WiFi():
			return fmt.Errorf("%s: chip %s has no Wi-Fi of its own to enrol it for", r.Where, r.Chip)
		case r.Chip == "":
			return fmt.Errorf("%s: %w", r.Where, s.knownHardware(name))
		default:
			added[name] = site.DefaultHardware(string(r.Chip))
		}
	}
	if len(added) == 0 {
		return nil
	}
	if err := e.Check(s.ctx(), asked); err != nil {
		return err
	}
	return s.site.AddHardware(added)
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
	eap, err := fleet.ParseEAP(s.site.Settings.RADIUS.EAP)
	if err != nil {
		return nil, fmt.Errorf("tcpboot.yaml: radius.eap: %w", err)
	}
	boards, err := s.authority(pki.Boards, true)
	if err != nil {
		return nil, err
	}
	radius, err := s.authority(pki.RADIUS, false)
	if err != nil {
		return nil, err
	}
	network := s.network()
	return &enroll.Enroller{
		Fleet: s.fleet, Boards: boards, Outbox: s.outbox(), Now: time.Now, Lock: s.lockDeliveries,
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
