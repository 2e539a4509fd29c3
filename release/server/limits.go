package server

import (
	"time"

	"github.com/tcpboot/tcpboot/release/wire"
)

// GCPercent is for debug.SetGCPercent in a process that does nothing but serve. When
// power comes back all boards shake hands at once, and most of what that takes is
// garbage and stacks: Go would let the heap grow by as much as both together.
const GCPercent = 15

// Limits bound what boards and strangers may cost. A field that is zero takes
// its default.
type Limits struct {
	// Connections is how many are accepted at a time. Default: the process's
	// limit of open files, less a reserve for the server's own files.
	Connections int
	// Parked of those may be parked. Default: half. What is left is for
	// downloads and for clients that have not said who they are.
	Parked int
	// Strangers of the parked may be clients that are not enrolled, active
	// boards. Default: half.
	Strangers int
	// Downloads may run at a time. Default: Connections less Parked.
	Downloads int
	// Proving may be in a TLS handshake at a time. Default: half of Downloads.
	Proving int
	// PerSource is how many downloads, handshakes and parked boards, of each, one
	// source address (IPv6: one /64) may hold. Default: three quarters of Downloads.
	PerSource int

	// Hello is the time for the 12 digits of the MAC. Default: wire.HelloLimit.
	Hello time.Duration
	// Handshake is the time for a TLS handshake, and then for the head of a request:
	// a small chip takes seconds for one. Default: 30 s.
	Handshake time.Duration
	// Idle is how long a download may make no progress. Default: 150 s; boards
	// are lost below wire.IdleLimit, so only a test goes there.
	Idle time.Duration
	// Retry is when to ask again after the registry or the shelf failed.
	// Default: 10 s.
	Retry time.Duration

	// QuickReturns is the number of times in a row that a board may come back
	// for the same image within QuickReturn of having got it: the last of them
	// is parked. Such a board does not boot the image, and every turn erases its
	// flash. Decay later it may try once more. Defaults: 10, 60 s (a board whose
	// SHA-1 was wrong waits 30 s), 10 min.
	QuickReturns       int
	QuickReturn, Decay time.Duration
}

// orDefaults fills the zero fields of l for a process that may open so many
// files.
func (l Limits) orDefaults(files int) Limits {
	or := func(field *int, value int) {
		if *field == 0 {
			*field = max(value, 1)
		}
	}
	orTime := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	or(&l.Connections, files-max(64, files/16))
	or(&l.Parked, l.Connections/2)
	or(&l.Strangers, l.Parked/2)
	or(&l.Downloads, l.Connections-l.Parked)
	or(&l.Proving, l.Downloads/2)
	or(&l.PerSource, l.Downloads*3/4)
	or(&l.QuickReturns, 10)
	orTime(&l.Hello, wire.HelloLimit)
	orTime(&l.Handshake, 30*time.Second)
	orTime(&l.Idle, wire.IdleLimit+30*time.Second)
	orTime(&l.Retry, 10*time.Second)
	orTime(&l.QuickReturn, time.Minute)
	orTime(&l.Decay, 10*time.Minute)
	return l
}
