package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/espimage"
)

var hardwareVerb = &cli.Command{
	Name:  "hardware",
	Usage: "the kinds of boards, and what their chips have room for",
	Subcommands: []*cli.Command{{
		Name:  "list",
		Usage: "the hardware of tcpboot.yaml",
		Description: "BLOCKS is how many signature blocks the chip looks at under hardware Secure Boot V2\n" +
			"(a loader that checks in software looks at the first alone), SLOTS how many key\n" +
			"digests its eFuses hold, STEPS how often an image's secure_version can rise.",
		Action: readingSite(hardwareList),
	}},
}

// A hardwareState is one kind of board.
type hardwareState struct {
	Name        string          `json:"name"`
	Chip        fleet.Chip      `json:"chip"`
	MinRevision string          `json:"min_revision"`
	Scheme      espimage.Scheme `json:"scheme"`
	espimage.Limits
	Keys   []loaderKey `json:"keys"` // app keys, the present one first
	Unsafe string      `json:"unsafe,omitempty"`
}

// A loaderKey is an app key and how many active boards have a loader that trusts it.
type loaderKey struct {
	Name   string `json:"name"`
	Boards int    `json:"boards"`
}

func hardwareList(s *session) error {
	var all []hardwareState
	for _, name := range slices.Sorted(maps.Keys(s.site.Settings.Hardware)) {
		state, err := s.hardwareState(name)
		if err != nil {
			return err
		}
		all = append(all, state)
	}
	return answer(s.cli, all, func(w io.Writer) {
		rows := make([][]string, len(all))
		for i, h := range all {
			rows[i] = []string{h.Name, string(h.Chip), h.MinRevision, string(h.Scheme), fmt.Sprint(h.Blocks), fmt.Sprint(h.KeySlots), fmt.Sprint(h.SecureVersions), keysText(h.Keys)}
		}
		table(w, "HARDWARE CHIP REVISION SIGNED BLOCKS SLOTS STEPS KEYS", rows)
		for _, h := range all {
			if h.Unsafe != "" {
				fmt.Fprintf(w, "%s: %s\n", h.Name, h.Unsafe)
			}
		}
	})
}

func (s *session) hardwareState(name string) (state hardwareState, err error) {
	h, err := s.hardware(name)
	if err != nil {
		return state, err
	}
	state = hardwareState{Name: name, Chip: h.Chip, MinRevision: s.site.Settings.Hardware[name].MinRevision,
		Scheme: h.Scheme, Limits: espimage.LimitsOf(h.Chip, h.MinRevision)}
	if err := espimage.Unsafe(h.Chip, h.Scheme); err != nil {
		state.Unsafe = err.Error()
	}
	generations, err := s.appGenerations(appKeyFor(h.Scheme), name)
	for i, g := range generations {
		if i == 0 || g.boards > 0 {
			state.Keys = append(state.Keys, loaderKey{g.key, g.boards})
		}
	}
	return state, err
}

func keysText(keys []loaderKey) string {
	var parts []string
	for i, k := range keys {
		if part := k.Name; i > 0 {
			parts = append(parts, fmt.Sprintf("%s (%d boards)", part, k.Boards))
		} else {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// forceFlag goes on where a chip's vendor would not.
var forceFlag = &cli.BoolFlag{Name: "force", Usage: "sign although the chip's vendor calls the scheme unsafe; the audit trail says so"}

// An unsafeError says that the vendor of a chip calls a signature scheme unsafe.
type unsafeError struct{ reason error }

func (e *unsafeError) Error() string { return e.reason.Error() }

// refuseUnsafe refuses a scheme that the chip's vendor calls unsafe, unless somebody
// insists.
func (s *session) refuseUnsafe(h release.Hardware) error {
	unsafe := espimage.Unsafe(h.Chip, h.Scheme)
	if unsafe != nil && !s.cli.Bool("force") {
		return &unsafeError{unsafe}
	}
	return nil
}
