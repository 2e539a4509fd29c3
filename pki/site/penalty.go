package site

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Penalty says when a board that fails at a release again and again is not offered
// it any more, and for how long. What is "" keeps its default, which package release
// has.
type Penalty struct {
	Failures string // since it last confirmed the release: "0", never, to "16"
	Burst    string // or so many within Within: "0" to "16"
	Within   string // "180s"
	Lasts    string // from the last failure: "24h"
}

func (p *Penalty) fields() []field {
	return []field{
		{key: "failures", to: &p.Failures, check: matches(failuresText, "0 to 16"), optional: true, number: true},
		{key: "burst", to: &p.Burst, check: matches(failuresText, "0 to 16"), optional: true, number: true},
		{key: "within", to: &p.Within, check: checkDuration, optional: true},
		{key: "lasts", to: &p.Lasts, check: checkDuration, optional: true},
	}
}

var failuresText = regexp.MustCompile(`^([0-9]|1[0-6])$`)

func checkDuration(s string) error {
	if d, err := time.ParseDuration(s); err != nil || d < time.Second {
		return fmt.Errorf("%q: want a second or more, as in 180s or 24h", clip(s))
	}
	return nil
}

// Change sets what p says otherwise, of numbers of failures and times.
func (p Penalty) Change(failures, burst *int, within, lasts *time.Duration) {
	for text, n := range map[*string]*int{&p.Failures: failures, &p.Burst: burst} {
		if *text != "" {
			*n, _ = strconv.Atoi(*text)
		}
	}
	for text, d := range map[*string]*time.Duration{&p.Within: within, &p.Lasts: lasts} {
		if *text != "" {
			*d, _ = time.ParseDuration(*text)
		}
	}
}

// render writes nothing for the default.
func (p Penalty) render(b *strings.Builder) {
	if p == (Penalty{}) {
		return
	}
	b.WriteString(`
# A board that fails at a release so many times, or burst times within that time,
# is not offered it until the last failure is so long ago.
penalty:
`)
	for _, f := range p.fields() {
		switch {
		case *f.to == "":
		case f.number:
			fmt.Fprintf(b, "  %s: %s\n", f.key, *f.to)
		default:
			fmt.Fprintf(b, "  %s: %s\n", f.key, text(*f.to))
		}
	}
}
