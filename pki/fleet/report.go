package fleet

import (
	"fmt"
	"slices"
	"time"
)

// A Report is what a board says of one release. A server takes it only from a
// board that proved itself by its certificate; of one board and manifest a later
// report replaces an earlier one.
type Report struct {
	MAC      MAC       `json:"mac"`
	Manifest Digest    `json:"manifest"` // of the signed manifest
	Outcome  Outcome   `json:"outcome"`
	Cause    Cause     `json:"cause,omitempty"` // of a failure, and of nothing else
	Time     time.Time `json:"time"`            // the server's: boards have no clock
}

// An Outcome is how far a board came with a release.
type Outcome string

// The outcomes. A board that says nothing after Activated has failed too, but
// cannot say so.
const (
	Activated Outcome = "activated" // written, verified, and chosen for the next start
	Confirmed Outcome = "confirmed" // it ran, and said of itself that it works
	Failed    Outcome = "failed"    // the board runs what it ran before, or its loader
)

// A Cause is why a release failed on a board.
type Cause string

// The causes, in the order of what a board does.
const (
	Refused     Cause = "refused"     // the documents, or who signed them
	Network     Cause = "network"     // it could not be fetched, in many attempts
	Corrupt     Cause = "corrupt"     // what came is not what the manifest states
	Flash       Cause = "flash"       // what was written reads back otherwise
	Invalid     Cause = "invalid"     // the chip would not start it
	Unconfirmed Cause = "unconfirmed" // it started, and never said that it works
	Component   Cause = "component"   // a chip behind the board did not take its image
)

var (
	outcomes = []Outcome{Activated, Confirmed, Failed}
	causes   = []Cause{Refused, Network, Corrupt, Flash, Invalid, Unconfirmed, Component}
)

// Check says why r is not a report: unknown words, or a cause without a failure.
func (r Report) Check() error {
	switch {
	case !slices.Contains(outcomes, r.Outcome):
		return fmt.Errorf("outcome %q: want one of %q", clip(string(r.Outcome)), outcomes)
	case r.Outcome != Failed && r.Cause != "":
		return fmt.Errorf("cause %q of outcome %s: only what failed has one", clip(string(r.Cause)), r.Outcome)
	case r.Outcome == Failed && !slices.Contains(causes, r.Cause):
		return fmt.Errorf("cause %q: want one of %q", clip(string(r.Cause)), causes)
	}
	return nil
}
