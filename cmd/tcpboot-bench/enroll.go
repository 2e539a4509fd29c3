//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

const (
	aimEnroll = 0.7         // of the rate of keys and certificates alone, at least
	aimGrowth = 1 << 10     // bytes of memory for each more board, at most
	rivalTime = time.Second // of each measurement of a rival, before and after
)

// An enrolment is what one run measured: pace by pace, in boards.
type enrolment struct {
	Ours, Certificates, Signatures, Files pace
	Peak                                  int // bytes of memory, resident at most
}

// enrollJob enrols boards by the library, as the verb does, against the
// cryptography that no enrolment can do without.
func enrollJob(o options) ([]result, error) {
	few, err := runEnrolment(o.dir, max(1, o.boards/4))
	if err != nil {
		return nil, err
	}
	many, err := runEnrolment(o.dir, o.boards)
	if err != nil {
		return nil, err
	}
	job := fmt.Sprintf("enrol %d boards: ", o.boards)
	growth := float64(many.Peak-few.Peak) / float64(many.Ours.Boards-few.Ours.Boards)
	against := func(rival string, p pace, aim, bound string) result {
		return result{job + "against " + rival, perSecond(many.Ours), perSecond(p), ratio(many.Ours.rate() / p.rate()), aim, bound}
	}
	return []result{
		against("key + certificate", many.Certificates, fmt.Sprintf("≥ %.1f", aimEnroll),
			fmt.Sprintf("CPU per board: %.0f µs, of which key and signature %.0f, bare files %.0f", many.Ours.micros(), many.Signatures.micros(), many.Files.micros())),
		against("key + bare signature", many.Signatures, "-", "the same"),
		against("its files alone", many.Files, "-", "the file system: 6 inodes a board, all synced"),
		{job + "memory", mib(float64(many.Peak)), mib(float64(few.Peak)) + " for a quarter",
			fmt.Sprintf("%.0f B/board", growth), fmt.Sprintf("≤ %d B/board", aimGrowth), "the list that was asked for, and the answer"},
	}, nil
}

func perSecond(p pace) string { return fmt.Sprintf("%.0f/s", p.rate()) }

// runEnrolment enrols in a process of its own, whose memory is then its own too.
func runEnrolment(dir string, boards int) (e enrolment, err error) {
	c, err := start("-enrolment", "-dir", dir, "-boards", strconv.Itoa(boards))
	if err != nil {
		return e, err
	}
	said, err := c.line()
	if err := errors.Join(err, c.stop()); err != nil {
		return e, fmt.Errorf("enrolment: %w", err)
	}
	return e, json.Unmarshal([]byte(said), &e)
}

// enrollChild measures the rivals, enrols, measures the rivals again, so that a
// busy machine is busy for all, and prints an enrolment.
func enrollChild(args []string) error {
	flags := flag.NewFlagSet("-enrolment", flag.ContinueOnError)
	boards := flags.Int("boards", 1000, "how many")
	below := flags.String("dir", "", "write below this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(*below, "tcpboot-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := measureEnrolment(dir, *boards)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(e)
}

func measureEnrolment(dir string, boards int) (e enrolment, err error) {
	enroller, err := newEnroller(dir)
	if err != nil {
		return e, err
	}
	defer enroller.Fleet.Close()
	if err := e.measureRivals(dir); err != nil {
		return e, err
	}
	if e.Ours, err = timed(func() (int, error) {
		enrolled, _, err := enroller.Enroll(context.Background(), requests(boards))
		return len(enrolled), err
	}); err != nil {
		return e, err
	}
	if e.Peak, err = peakMemory(os.Getpid()); err != nil {
		return e, err
	}
	return e, e.measureRivals(dir)
}
