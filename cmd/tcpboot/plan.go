package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// planFlags say how far an offer goes, by what it goes further, and what stops it.
var planFlags = []cli.Flag{
	&cli.IntFlag{Name: "percent", Usage: "to `P` per cent of the boards; raising it only adds boards", Value: 100},
	&cli.IntFlag{Name: "count", Usage: "to `N` of the boards that are enrolled now, and as many of the later ones in proportion"},
	&cli.StringFlag{Name: "waves", Usage: "one after the other to each of `LIST`: 5,1%,10%,100%"},
	&cli.StringFlag{Name: "advance", Usage: "into the next wave once `SHARE` of the boards confirmed it (default: by `release approve` alone)"},
	&cli.StringFlag{Name: "stop", Usage: "no further when `SHARE` or so many boards failed: 5%, 3, or 5%,3"},
	&cli.IntFlag{Name: "min", Usage: "shares count once the outcome is known of `N` boards", Value: defaultMin},
	&cli.DurationFlag{Name: "within", Usage: "who activated it and is silent for `DURATION` has failed", Value: 24 * time.Hour},
}

const defaultMin = 10

// readPlan makes a plan of the flags; percent is of those offers that have no waves.
func readPlan(c *cli.Context) (p fleet.Plan, percent int, err error) {
	if percent = c.Int("percent"); percent < 0 || percent > 100 {
		return p, 0, usagef("--percent %d: want 0 to 100", percent)
	}
	if err := onlyOneOf(c, "percent", "count", "waves"); err != nil {
		return p, 0, err
	}
	if p.Waves, err = readWaves(c); err != nil {
		return p, 0, usageError{err}
	}
	if err := readShares(c, &p); err != nil {
		return p, 0, err
	}
	if p.Advance > 0 && len(p.Waves) < 2 {
		return p, 0, usagef("--advance: there is one wave alone; --waves names several")
	}
	if len(p.Waves) > 0 {
		percent = p.Waves[0].Percent
	}
	return p, percent, nil
}

func onlyOneOf(c *cli.Context, names ...string) error {
	given := ""
	for _, n := range names {
		if !c.IsSet(n) {
			continue
		}
		if given != "" {
			return usagef("--%s and --%s: want one of them", given, n)
		}
		given = n
	}
	return nil
}

func readWaves(c *cli.Context) ([]fleet.Wave, error) {
	switch {
	case c.IsSet("waves"):
		waves, err := release.ParseWaves(c.String("waves"))
		if err != nil {
			err = fmt.Errorf("--waves: %w", err)
		}
		return waves, err
	case c.IsSet("count") && c.Int("count") < 1:
		return nil, fmt.Errorf("--count %d: want at least 1", c.Int("count"))
	case c.IsSet("count"):
		return []fleet.Wave{{Count: c.Int("count")}}, nil
	}
	return nil, nil
}

// readShares reads by what boards report an offer goes on or stops. What is not used
// stays out of the plan.
func readShares(c *cli.Context, p *fleet.Plan) (err error) {
	if c.IsSet("advance") {
		if p.Advance, err = parseShare(c.String("advance")); err != nil {
			return usagef("--advance: %v", err)
		}
	}
	if c.IsSet("stop") {
		if err := readStop(c.String("stop"), p); err != nil {
			return usagef("--stop: %v", err)
		}
	}
	if p.Advance == 0 && !release.Stops(*p) {
		if c.IsSet("min") || c.IsSet("within") {
			return usagef("--min and --within are for --advance and --stop")
		}
		return nil
	}
	if p.Min, p.Within = c.Int("min"), int(c.Duration("within").Seconds()); p.Min < 1 || p.Within < 1 {
		return usagef("--min %d, --within %s: want at least 1, and a second", p.Min, c.Duration("within"))
	}
	if !c.IsSet("min") { // a wave of three boards knows three outcomes
		for _, w := range p.Waves {
			if w.Count > 0 {
				p.Min = min(p.Min, w.Count)
			}
		}
	}
	return nil
}

// readStop reads "5%", "3", or both.
func readStop(s string, p *fleet.Plan) (err error) {
	for word := range strings.SplitSeq(s, ",") {
		switch {
		case strings.HasSuffix(word, "%") && p.Stop == 0:
			p.Stop, err = parseShare(word)
		case !strings.HasSuffix(word, "%") && p.StopCount == 0:
			if p.StopCount, err = strconv.Atoi(word); err != nil || p.StopCount < 1 {
				err = fmt.Errorf("%.20q: want a share, as 5%%, a number of boards from 1 on, or both, as 5%%,3", word)
			}
		default:
			err = fmt.Errorf("%.20q: want one share and one number of boards", s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseShare reads "95%".
func parseShare(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
	if err != nil || n < 1 || n > 100 || !strings.HasSuffix(s, "%") {
		return 0, fmt.Errorf("%.20q: want 1%% to 100%%", s)
	}
	return n, nil
}
