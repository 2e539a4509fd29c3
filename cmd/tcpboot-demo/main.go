// Command tcpboot-demo tells the whole story on a screen: it makes a site in a
// temporary folder, enrols two boards, admits one at a real RADIUS server where
// FreeRADIUS and eapol_test are installed, cuts a release, serves it, fetches it
// as a board would, loses a unit, and takes everything away again. Every line
// after a "$" is a command that it really types at the tcpboot binary.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/tcpboot/tcpboot/release/espimage"
)

func main() {
	binary := flag.String("tcpboot", "tcpboot", "the `binary` to type at")
	app := flag.String("app", "", "an application `image` (ESP32, unsigned) instead of a stand-in")
	keep := flag.Bool("keep", false, "leave the site there to look at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *app, *keep); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, app string, keep bool) error {
	dir, err := os.MkdirTemp("", "tcpboot-demo-")
	if err != nil {
		return err
	}
	if keep {
		defer fmt.Printf("\nThe site is in %s\n", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	s, err := newStage(ctx, binary, dir)
	if err != nil {
		return err
	}
	defer s.close()
	if err := image(s, app); err != nil {
		return err
	}
	return story(s)
}

// image lays app.bin into the stage: the given one, or a stand-in.
func image(s *stage, app string) error {
	if app != "" {
		b, err := os.ReadFile(app)
		if err != nil {
			return err
		}
		s.note("The application image is %s.", app)
		return os.WriteFile(s.path("app.bin"), b, 0o644)
	}
	s.note("No ESP-IDF here, so app.bin is a stand-in: a well-formed ESP32 image that no chip could run.")
	stand := espimage.Build(espimage.Spec{Chip: "esp32", Version: "1.4.0", Project: "demo", Size: 256 << 10})
	return os.WriteFile(s.path("app.bin"), stand, 0o644)
}

// The boards of the story.
const (
	door = "24:6f:28:aa:10:02"
	hall = "24:6f:28:aa:10:03"
)

// story is the order of what happens; each step prints what it types.
func story(s *stage) error {
	steps := []func() error{
		s.chapter("A site: settings, registry, keys, certificates"),
		s.types("tcpboot init --name lab --ssid 'Campus IoT' --server 127.0.0.1:%s --radius-listen 127.0.0.1:%s", s.port, s.radius),
		s.chapter("Two boards, each with a password, a key and a certificate of its own"),
		s.types("tcpboot enroll %s --name 'door 2' --vlan 120", door),
		s.types("tcpboot enroll %s --name hall", hall),
		s.types("ls -l boards/02/246f28aa1002 boards/02/246f28aa1002/main"),
		s.chapter("RADIUS admits them"),
		s.types("tcpboot radius export --out radius"),
		func() error { return s.admission("the right certificate", "246f28aa1002", true) },
		s.chapter("The loader's configuration, for the 2017 loader"),
		s.types("tcpboot loader export %s --out loader-door", door),
		s.types("grep -v PASSWORD loader-door/sdkconfig.defaults"),
		s.chapter("A signed release, offered on a channel"),
		s.types("tcpboot release cut app.bin --version 1.4.0 --hardware esp32"),
		s.types("tcpboot release publish 1.4.0 --channel stable"),
		s.chapter("Boards ask over TCP"),
		s.serve,
		s.types("tcpboot fetch --server 127.0.0.1:%s --mac %s --out got.bin", s.port, door),
		s.chapter("The door board is lost: its credentials die, nobody else is touched"),
		s.types("tcpboot revoke %s --reason lost", door),
		func() error { return s.admission("the lost board's certificate", "246f28aa1002", false) },
		func() error { return s.admission("the other board", "246f28aa1003", true) },
		s.fails("tcpboot fetch --server 127.0.0.1:%s --mac %s --out got2.bin --timeout 2s", s.port, door),
		s.chapter("Who did what"),
		s.types("tcpboot audit list --last 4"),
		s.types("tcpboot audit verify"),
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Println("\nThat was the whole story. Your own begins with `bin/tcpboot init`.")
	return nil
}
