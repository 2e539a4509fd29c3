package release

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Rollout says how far a release has gone through the boards of a channel.
// Whether it has reached a board is a matter of that board alone, so that to go
// further, or to enrol more boards, nobody looks at the fleet.
type Rollout struct {
	Release string // what boards draw their place by: hardware/version
	Below   uint64 // reached are those that draw less, of 1<<32
}

const everyDraw = 1 << 32

// RolloutOf returns the rollout of an offer, as far as its wave goes. A board keeps
// its place when the same version is stated again.
func RolloutOf(o fleet.Offer) Rollout {
	return Rollout{Release: o.Hardware + "/" + o.Version, Below: below(WaveOf(o))}
}

// WaveOf is the wave that an offer has reached.
func WaveOf(o fleet.Offer) fleet.Wave {
	if len(o.Plan.Waves) == 0 {
		return fleet.Wave{Percent: o.Percent}
	}
	return o.Plan.Waves[min(max(o.Plan.Wave, 0), len(o.Plan.Waves)-1)]
}

func below(w fleet.Wave) uint64 {
	if w.Count > 0 {
		return w.Below
	}
	percent := uint64(min(max(w.Percent, 0), 100))
	return (percent<<32 + 99) / 100
}

// Includes reports whether r has reached the board m. A board keeps its place:
// raising Below only ever adds boards. Different releases draw anew, so that it
// is not always the same boards that go first.
func (r Rollout) Includes(m fleet.MAC) bool { return uint64(r.draw(m)) < r.Below }

func (r Rollout) draw(m fleet.MAC) uint32 {
	h := sha256.Sum256([]byte(r.Release + "/" + m.String()))
	return binary.BigEndian.Uint32(h[:])
}

// Follow returns o as it takes the place of last on a channel: what was offered to
// every board there stays for those that o does not reach. The zero last is none.
func Follow(last, o fleet.Offer) fleet.Offer {
	switch {
	case last.Sequence == 0:
		o.Previous = nil
	case last.Manifest == o.Manifest || last.Paused || RolloutOf(last).Below < everyDraw:
		o.Previous = last.Previous
	default:
		last.Previous = nil
		o.Previous = &last
	}
	return o
}

// CountWaves sets of each wave that has a Count below which draw there are so many
// of boards, and every board where there are no more than that. It is the only look
// that a plan takes at the fleet, and holds four bytes of each board. Boards that
// are enrolled later join a wave in the proportion in which it took the others.
func CountWaves(o fleet.Offer, boards iter.Seq2[fleet.MAC, error]) error {
	var draws []uint32
	r := RolloutOf(o)
	for m, err := range boards {
		if err != nil {
			return err
		}
		draws = append(draws, r.draw(m))
	}
	slices.Sort(draws)
	for i, w := range o.Plan.Waves {
		switch {
		case w.Count == 0:
		case w.Count < len(draws):
			o.Plan.Waves[i].Below = uint64(draws[w.Count-1]) + 1
		default:
			o.Plan.Waves[i].Below = everyDraw
		}
	}
	return nil
}

// ReachText says how far an offer goes: "10% of the boards", "5 boards".
func ReachText(o fleet.Offer) string {
	text := WaveText(WaveOf(o))
	if WaveOf(o).Count == 0 {
		text += " of the boards"
	}
	if n := len(o.Plan.Waves); n > 1 {
		text += fmt.Sprintf(" (wave %d of %d)", o.Plan.Wave+1, n)
	}
	return text
}

// WaveText says how far a wave goes: "10%", "5 boards".
func WaveText(w fleet.Wave) string {
	switch w.Count {
	case 0:
		return fmt.Sprintf("%d%%", w.Percent)
	case 1:
		return "1 board"
	}
	return fmt.Sprintf("%d boards", w.Count)
}
