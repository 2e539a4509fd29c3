package story

import (
	"os/exec"
	"strings"
)

// A part is what one board does in the story, a list of steps per scene.
type part struct{ installs, goesOn, isRefused []func() error }

// deskNeeds compiles where the POSIX board does: its cryptography is Mbed TLS 2.28.
const deskNeeds = `#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_MAJOR != 2
#error another Mbed TLS
#endif
`

// door casts the door board: the loader's core in C, built out of sources, where these
// and a compiler are; otherwise tcpboot fetch.
func (s *stage) door(sources string) (part, error) {
	if sources == "" {
		s.note("`tcpboot fetch` plays the door board: it checks as a board does, and flashes nothing. (--board DIR builds one.)")
		return s.doorFetches(), nil
	}
	if !s.canBuild() {
		s.note("No make, gcc and Mbed TLS 2.28 here, so `tcpboot fetch` plays the door board: it checks as a board does, and flashes nothing.")
		return s.doorFetches(), nil
	}
	s.note("The door board is a program here: the core of our loader in C, built by gcc with Mbed TLS, and a file for its flash.")
	build := exec.CommandContext(s.ctx, "make", "-s", "-C", sources, "board", "BUILD="+s.bin)
	build.Stdout, build.Stderr = s.out, s.out
	return s.doorRuns(), build.Run()
}

func (s *stage) canBuild() bool {
	if _, err := exec.LookPath("make"); err != nil {
		return false
	}
	probe := exec.CommandContext(s.ctx, "gcc", "-fsyntax-only", "-xc", "-")
	probe.Stdin = strings.NewReader(deskNeeds)
	return probe.Run() == nil
}

// doorRuns is the POSIX board. It waits between visits as a board does, only 20
// times shorter.
func (s *stage) doorRuns() part {
	const loads = "mkdir door && cp boards/02/246f28aa1002/main/wpa2_client.* certs/servers-root.pem sitedocs/1.cose door"
	return part{
		installs: []func() error{
			s.types(loads),
			s.types("cd door && board power && board confirm"),
		},
		goesOn: []func() error{
			s.types("cd door && board return && board --break 150000 --hurry 20 power && board confirm"),
		},
		isRefused: []func() error{
			s.types("cd door && board return && board --hurry 20 power"),
			s.fails("cd door && board --flash blank --visits 1 power"),
		},
	}
}

// doorFetches is tcpboot fetch with the credential in the board's delivery.
func (s *stage) doorFetches() part {
	line := "tcpboot fetch --server 127.0.0.1:" + s.port + " --mac " + door
	return part{
		installs: []func() error{s.types("%s --out door.bin", line)},
		goesOn: []func() error{
			s.types("%s --out next.whole", line),
			s.types("head -c 150000 next.whole >door-next.bin.part # as a cut line leaves it"),
			s.types("%s --out door-next.bin", line),
		},
		isRefused: []func() error{s.fails("%s --credentials boards/02/246f28aa1002", line)},
	}
}
