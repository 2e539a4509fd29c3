// Package story tells the whole story of a site on a screen: it makes a site in a
// temporary folder, enrols two boards, admits one at a real RADIUS server where
// FreeRADIUS and eapol_test are installed, cuts a release, serves it to a board of
// 2017 and to one with our loader, updates the latter over a line that breaks, loses
// it, and takes everything away again. Every line after a "$" is a command that it
// really types, at a tcpboot that it is told of. The board with our loader is the program
// of templates/loader/host_test where that can be built, otherwise tcpboot fetch.
package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/tcpboot/tcpboot/release/espimage"
)

// patience is how long the story, of seconds, may take before something hangs.
const patience = 5 * time.Minute

// A Cast is who and what plays in the story.
type Cast struct {
	Tcpboot string // the binary to type at
	App     string // an application image (ESP32, unsigned); "" for a stand-in
	Board   string // the folder of host_test, to build the board with our loader; "" where there is none
	Keep    bool   // leave the site there to look at
}

// Tell tells the story on out. The first command that does not do what it should is an
// error, and the end of it.
func Tell(ctx context.Context, out io.Writer, c Cast) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "tcpboot-demo-")
	if err != nil {
		return err
	}
	if c.Keep {
		defer fmt.Fprintf(out, "\nThe site is in %s\n", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	s, err := newStage(ctx, out, c.Tcpboot, dir)
	if err != nil {
		return err
	}
	defer s.close()
	if err := image(s, c.App); err != nil {
		return err
	}
	d, err := s.door(c.Board)
	if err != nil {
		return fmt.Errorf("building the board in %s: %w", c.Board, err)
	}
	return s.tell(d)
}

// image lays app.bin and its update next.bin into the stage: stand-ins, unless app
// is given.
func image(s *stage, app string) error {
	first, said := standIn("1.4.0"), "No ESP-IDF here, so app.bin is a stand-in, and its update too"
	if app != "" {
		b, err := os.ReadFile(app)
		if err != nil {
			return err
		}
		first, said = b, fmt.Sprintf("app.bin is %s, its update next.bin a stand-in", app)
	}
	s.note("%s: a well-formed ESP32 image that no chip could run.", said)
	return errors.Join(s.lay("app.bin", first), s.lay("next.bin", standIn("1.5.0")))
}

func standIn(version string) []byte {
	return espimage.Build(espimage.Spec{Chip: "esp32", Version: version, Project: "demo", Size: 256 << 10})
}

func (s *stage) lay(name string, b []byte) error { return os.WriteFile(s.path(name), b, 0o644) }

// The boards of the story.
const (
	door = "24:6f:28:aa:10:02"
	hall = "24:6f:28:aa:10:03"
)

// tell is the order of what happens; each step prints what it types.
func (s *stage) tell(d part) error {
	steps := slices.Concat([]func() error{
		s.chapter("A site: settings, registry, keys, certificates"),
		s.types("tcpboot init --name lab --ssid 'Campus IoT' --server 127.0.0.1:%s --radius-listen 127.0.0.1:%s", s.port, s.radius),
		s.chapter("Two boards, each with a password, a key and a certificate of its own"),
		s.types("tcpboot enroll %s --name 'door 2' --vlan 120", door),
		s.types("tcpboot enroll %s --name hall", hall),
		s.types("ls -l boards/02/246f28aa1002 boards/02/246f28aa1002/main"),
		s.chapter("RADIUS admits them"),
		s.types("tcpboot radius export --out radius"),
		func() error { return s.admission("the right certificate", "246f28aa1002", true) },
		s.chapter("The hall board has the loader of 2017, configured so; the door board has ours"),
		s.types("tcpboot loader export %s --out loader-hall", hall),
		s.types("grep -v PASSWORD loader-hall/sdkconfig.defaults"),
		s.types("tcpboot device set %s --level 2", door),
		s.chapter("A signed release, offered on a channel"),
		s.types("tcpboot release cut app.bin --version 1.4.0 --hardware esp32"),
		s.types("tcpboot release publish 1.4.0 --channel stable"),
		s.chapter("The hall board asks over TCP, as in 2017"),
		s.serve,
		s.types("tcpboot fetch --server 127.0.0.1:%s --mac %s --out hall.bin", s.port, hall),
		s.chapter("The door board proves itself, and verifies before it flashes"),
	}, d.installs, []func() error{
		s.chapter("An update, over a line that is cut in the middle"),
		s.types("tcpboot release cut next.bin --version 1.5.0 --hardware esp32"),
		s.types("tcpboot release publish 1.5.0 --channel stable"),
		s.types("until tcpboot fetch --server 127.0.0.1:%s --mac %s 2>/dev/null | grep 'version 1.5.0'; do sleep 0.2; done", s.port, door),
	}, d.goesOn, []func() error{
		s.chapter("The door board is lost: its credentials die, nobody else is touched"),
		s.types("tcpboot revoke %s --reason lost", door),
		func() error { return s.admission("the lost board's certificate", "246f28aa1002", false) },
		func() error { return s.admission("the other board", "246f28aa1003", true) },
	}, d.isRefused, []func() error{
		s.chapter("Who did what"),
		s.types("tcpboot audit list --last 4"),
		s.types("tcpboot audit verify"),
	})
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	s.note("\nThat was the whole story. Your own begins with `tcpboot init`.")
	return nil
}
