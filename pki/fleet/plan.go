package fleet

import "time"

// A Plan says in which waves an offer goes through its boards, and by which of
// their reports it goes on or stops. The registry stores it uninterpreted;
// package release gives it meaning. The zero Plan is one wave, of the offer's
// Percent, that nothing stops.
type Plan struct {
	Waves []Wave    `json:"waves,omitempty"`
	Wave  int       `json:"wave,omitempty"` // the one it has reached, from 0
	Since time.Time `json:"since,omitzero"` // what was reported before counts no more

	Advance   int `json:"advance,omitempty"`        // per cent of the boards that must confirm before the next wave; 0: somebody approves it
	Stop      int `json:"stop,omitempty"`           // per cent of the boards that may not fail; 0: any may
	StopCount int `json:"stop_count,omitempty"`     // boards that may not fail; 0: any may
	Min       int `json:"min,omitempty"`            // boards whose outcome is known before shares of them count
	Within    int `json:"within_seconds,omitempty"` // from activation to confirmation; who is silent for longer has failed

	Stopped string `json:"stopped,omitempty"` // why it was, by what boards reported; it is paused as well
}

// A Wave is how far an offer goes at one time.
type Wave struct {
	Percent int    `json:"percent,omitempty"` // of the boards, or
	Count   int    `json:"count,omitempty"`   // so many boards, when it was published
	Below   uint64 `json:"below,omitempty"`   // of a Count: those that draw less, see package release
}

// A Tally counts boards by what they last said of a release.
type Tally struct {
	Activated int `json:"activated"` // and still have time to confirm it
	Confirmed int `json:"confirmed"`
	Failed    int `json:"failed"`
	Silent    int `json:"silent"` // activated it, and let the time pass
}

// A Stop says that boards reported so much amiss with an offer that nobody else
// is given it.
type Stop struct {
	Manifest Digest    `json:"manifest"` // of the offer
	Time     time.Time `json:"time"`
	Reason   string    `json:"reason"`
}
