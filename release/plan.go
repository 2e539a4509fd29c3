package release

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Step is what comes next for an offer, and why.
type Step struct {
	Kind   StepKind `json:"next"`
	Reason string   `json:"reason"`
}

// A StepKind is what can come next.
type StepKind string

// The steps.
const (
	Halt    StepKind = "stop"    // boards reported too much amiss
	Advance StepKind = "advance" // the next wave
	Wait    StepKind = "wait"    // for more reports
	Approve StepKind = "approve" // somebody lets it into the next wave
	Resume  StepKind = "resume"  // it is paused
	Done    StepKind = "done"    // it is in its last wave
)

// Next says what comes next for an offer of whose boards t is known. The same offer
// and tally make the same step.
//
// Stop and Advance look at two things. Of the boards whose outcome is known, those
// that failed or fell silent must stay below Stop; of all that activated the release
// Advance must have confirmed it, so that those who confirm soonest do not speak for
// the rest. Shares count once Min outcomes are known.
func Next(o fleet.Offer, t fleet.Tally) Step {
	p := o.Plan
	bad := t.Failed + t.Silent
	known := bad + t.Confirmed
	all := known + t.Activated
	enough := known >= p.Min
	switch {
	case p.Stopped != "":
		return Step{Resume, "was stopped: " + p.Stopped}
	case o.Paused:
		return Step{Resume, "is paused"}
	case p.StopCount > 0 && bad >= p.StopCount:
		return Step{Halt, fmt.Sprintf("%d failed and %d fell silent, which makes %d", t.Failed, t.Silent, p.StopCount)}
	case p.Stop > 0 && bad > 0 && enough && bad*100 >= p.Stop*known:
		return Step{Halt, fmt.Sprintf("%d failed and %d fell silent of %d, which makes %d%%", t.Failed, t.Silent, known, p.Stop)}
	case p.Wave >= len(p.Waves)-1:
		return Step{Done, "has reached its last wave"}
	case p.Advance == 0:
		return Step{Approve, "waits to be approved"}
	case !enough:
		return Step{Wait, fmt.Sprintf("%d outcomes are known, of at least %d", known, p.Min)}
	case known == 0 || t.Confirmed*100 < p.Advance*all:
		return Step{Wait, fmt.Sprintf("%d of %d confirmed it, of at least %d%%", t.Confirmed, all, p.Advance)}
	}
	return Step{Advance, fmt.Sprintf("%d of %d confirmed it, at least %d%%", t.Confirmed, all, p.Advance)}
}

// Stops reports whether boards can stop an offer by what they report.
func Stops(p fleet.Plan) bool { return p.Stop > 0 || p.StopCount > 0 }

// Held returns offers as servers go by them: those that are stopped, and were not
// resumed since, are paused.
func Held(offers []fleet.Offer, stops []fleet.Stop) []fleet.Offer {
	held := slices.Clone(offers)
	for i, o := range held {
		for _, s := range stops {
			if Stops(o.Plan) && !o.Paused && s.Manifest == o.Manifest && !s.Time.Before(o.Plan.Since) {
				held[i].Paused, held[i].Plan.Stopped = true, s.Reason
			}
		}
	}
	return held
}

// ParseWaves reads "5,1%,10%,100%": counts of boards and percentages of them, each
// further than the one before. Whether a percentage is more than a count shows when
// CountWaves has looked.
func ParseWaves(s string) (waves []fleet.Wave, err error) {
	var last fleet.Wave
	for word := range strings.SplitSeq(s, ",") {
		w, err := parseWave(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		if w.Percent > 0 && w.Percent <= last.Percent || w.Count > 0 && w.Count <= last.Count {
			return nil, fmt.Errorf("wave %.20q: does not go further than those before", word)
		}
		last = fleet.Wave{Percent: max(last.Percent, w.Percent), Count: max(last.Count, w.Count)}
		waves = append(waves, w)
	}
	return waves, nil
}

func parseWave(word string) (w fleet.Wave, err error) {
	digits, percent := strings.CutSuffix(word, "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	switch {
	case err != nil || n == 0 || percent && n > 100:
		return w, fmt.Errorf("wave %.20q: want a number of boards, or 1%% to 100%%", word)
	case percent:
		return fleet.Wave{Percent: int(n)}, nil
	}
	return fleet.Wave{Count: int(n)}, nil
}

// CheckPlan says why an offer cannot go by its plan.
func CheckPlan(o fleet.Offer) error {
	p := o.Plan
	for i, w := range p.Waves {
		if i > 0 && below(w) < below(p.Waves[i-1]) {
			return fmt.Errorf("wave %d, %s, goes less far than the one before, %s", i+1, WaveText(w), WaveText(p.Waves[i-1]))
		}
		if last := i == len(p.Waves)-1; p.Advance > 0 && !last && w.Count > 0 && w.Count < p.Min {
			return fmt.Errorf("wave %d has %s, so %d outcomes will never be known in it", i+1, WaveText(w), p.Min)
		}
	}
	for _, share := range []struct {
		what string
		n    int
	}{{"share to advance by", p.Advance}, {"share to stop by", p.Stop}} {
		if share.n < 0 || share.n > 100 {
			return fmt.Errorf("%s: %d%%, want 1%% to 100%%", share.what, share.n)
		}
	}
	if min(p.Min, p.StopCount, p.Within) < 0 {
		return errors.New("a number below zero")
	}
	return nil
}
