package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// MaxJump is how far a release's counter may go beyond the last one given for
// its hardware. Boards keep the highest counter they saw for ever, so a slip of
// the finger must not use up the numbers.
const MaxJump = 16

// maxNumber bounds sequences to what SQL and JSON readers hold alike.
const maxNumber = 1 << 53

// maxCounter is the highest counter that a board can hold.
const maxCounter = math.MaxUint32

// Numbers are what one release is given.
type Numbers struct {
	Counter   fleet.Counter
	Sequences map[string]uint64 // by channel
	Audit     Head              // where the trail stands, this gift included
}

// Number gives a release its counter and its sequence on each channel. No number
// is ever given twice, whatever becomes of the release. A nil count is the next
// one; another must be above the last one given for the hardware, by at most
// MaxJump. Counts go on rising from one generation, which is the site document's to
// say, to the next.
func (f *Fleet) Number(ctx context.Context, hardware, version string, channels []string, generation uint32, count *uint32) (n Numbers, err error) {
	if err := checkNumber(hardware, version, channels); err != nil {
		return Numbers{}, err
	}
	err = f.write(ctx, func(w *writer) error {
		n.Counter.Generation = generation
		n, err = w.number(hardware, version, channels, n, count)
		return err
	})
	if err != nil {
		return Numbers{}, err
	}
	return n, nil
}

func checkNumber(hardware, version string, channels []string) error {
	if len(channels) == 0 {
		return errors.New("release: no channel")
	}
	err := errors.Join(fleet.CheckName("hardware", hardware), fleet.CheckName("version", version))
	seen := make(map[string]bool)
	for _, c := range channels {
		if seen[c] {
			return fmt.Errorf("release: channel %s twice", c)
		}
		seen[c] = true
		err = errors.Join(err, fleet.CheckName("channel", c))
	}
	return err
}

type numberDetail struct {
	Counter   fleet.Counter     `json:"counter,omitzero"`
	Sequences map[string]uint64 `json:"sequences"`
}

// Sequence gives a release that exists another sequence on each channel, to be
// stated again; its counter stays what it is.
func (f *Fleet) Sequence(ctx context.Context, hardware, version string, channels []string) (n Numbers, err error) {
	if err := checkNumber(hardware, version, channels); err != nil {
		return Numbers{}, err
	}
	err = f.write(ctx, func(w *writer) error {
		n, err = w.sequences(hardware, version, channels, Numbers{})
		return err
	})
	return n, err
}

func (w *writer) number(hardware, version string, channels []string, n Numbers, count *uint32) (_ Numbers, err error) {
	if n.Counter.Count, err = w.counter(hardware, count); err != nil {
		return n, err
	}
	return w.sequences(hardware, version, channels, n)
}

// sequences completes n with a sequence on each channel.
func (w *writer) sequences(hardware, version string, channels []string, n Numbers) (_ Numbers, err error) {
	n.Sequences = make(map[string]uint64)
	for _, c := range channels {
		if n.Sequences[c], err = w.sequence(hardware, c); err != nil {
			return n, err
		}
	}
	err = w.audit("release.number", hardware+"/"+version, numberDetail{n.Counter, n.Sequences})
	n.Audit = w.head
	return n, err
}

// counter gives the wanted counter, or the next.
func (w *writer) counter(hardware string, want *uint32) (uint32, error) {
	var last uint32
	err := w.row("SELECT given FROM release_counter WHERE hardware = $1", hardware).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("registry: %w", err)
	}
	if last == maxCounter {
		return 0, fmt.Errorf("hardware %s: its counters are used up", hardware)
	}
	n := last + 1
	if want != nil {
		n = *want
	}
	switch {
	case n <= last:
		return 0, fmt.Errorf("hardware %s: counter %d is not above %d, the last one given", hardware, n, last)
	case n-last > MaxJump:
		return 0, fmt.Errorf("hardware %s: counter %d is more than %d above %d, the last one given", hardware, n, MaxJump, last)
	}
	_, err = w.exec(giveCounter, hardware, int64(n))
	return n, err
}

const giveCounter = `
INSERT INTO release_counter (hardware, given) VALUES ($1, $2)
ON CONFLICT (hardware) DO UPDATE SET given = $2 WHERE release_counter.given < $2`

const giveSequence = `
INSERT INTO release_sequence (hardware, channel, given) VALUES ($1, $2, $3)
ON CONFLICT (hardware, channel) DO UPDATE SET given = $3 WHERE release_sequence.given < $3`

// sequence gives the next sequence of a channel.
func (w *writer) sequence(hardware, channel string) (uint64, error) {
	var last uint64
	err := w.row("SELECT given FROM release_sequence WHERE hardware = $1 AND channel = $2", hardware, channel).Scan(&last)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return 0, fmt.Errorf("registry: %w", err)
	case last == maxNumber:
		return 0, fmt.Errorf("channel %s/%s: its sequences are used up", hardware, channel)
	}
	_, err = w.exec(giveSequence, hardware, channel, int64(last+1))
	return last + 1, err
}
