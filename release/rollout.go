package release

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Rollout says how far a release has gone through the boards of a channel.
type Rollout struct {
	Release string // what boards draw their place by: hardware/version
	Percent int    // below 1: no board, above 99: every board
}

// RolloutOf returns the rollout of an offer. A board keeps its place when the
// same version is stated again.
func RolloutOf(o fleet.Offer) Rollout {
	return Rollout{Release: o.Hardware + "/" + o.Version, Percent: o.Percent}
}

// Includes reports whether r has reached the board m. A board keeps its place:
// raising Percent only ever adds boards. Different releases draw anew, so that it
// is not always the same boards that go first.
func (r Rollout) Includes(m fleet.MAC) bool {
	h := sha256.Sum256([]byte(r.Release + "/" + m.String()))
	return int64(binary.BigEndian.Uint32(h[:]))*100 < int64(r.Percent)<<32
}
