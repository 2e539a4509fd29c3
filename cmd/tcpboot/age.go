package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// toRotate are the boards of a rotation: the arguments, or those whose newest
// credential is older than --older-than.
func (s *session) toRotate() (macs []fleet.MAC, err error) {
	age := s.cli.String("older-than")
	if age == "" {
		return s.macs()
	}
	if s.cli.NArg() > 0 {
		return nil, usagef("rotate: want MACs or --older-than, not both")
	}
	d, err := parseAge(age)
	if err != nil {
		return nil, usageError{fmt.Errorf("--older-than: %w", err)}
	}
	before := time.Now().Add(-d)
	for b, err := range s.fleet.Devices(s.ctx(), registry.Filter{States: []fleet.State{fleet.Active}}) {
		if err != nil {
			return nil, err
		}
		if len(b.Admissions) > 0 && b.Admissions[0].Issued.Before(before) {
			macs = append(macs, b.MAC)
		}
	}
	if len(macs) == 0 {
		say(s.cli, "no credential is older than %s", age)
	}
	return macs, nil
}

// parseAge reads a duration that may be in days: "720d", "36h".
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q: want a number of days such as 720d, or a duration such as 36h", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q: want a number of days such as 720d, or a duration such as 36h", s)
	}
	return d, nil
}
