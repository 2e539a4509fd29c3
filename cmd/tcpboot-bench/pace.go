//go:build linux

package main

import (
	"syscall"
	"time"
)

// A pace is how long so many boards took, and how much CPU time.
type pace struct {
	Boards       int
	Seconds, CPU float64
}

func (p pace) rate() float64 { return float64(p.Boards) / p.Seconds }

// micros is the CPU time of one board.
func (p pace) micros() float64 { return p.CPU / float64(p.Boards) * 1e6 }

func (p *pace) add(q pace) {
	p.Boards, p.Seconds, p.CPU = p.Boards+q.Boards, p.Seconds+q.Seconds, p.CPU+q.CPU
}

// timed measures what do takes; do returns for how many boards.
func timed(do func() (int, error)) (p pace, err error) {
	began, before := time.Now(), ownCPU()
	p.Boards, err = do()
	p.Seconds, p.CPU = time.Since(began).Seconds(), (ownCPU() - before).Seconds()
	return p, err
}

// ownCPU is the CPU time of this process, finer than /proc tells it.
func ownCPU() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
