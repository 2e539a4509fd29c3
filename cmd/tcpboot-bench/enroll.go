//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

const (
	aimEnroll = 0.7         // of the rate of keys and certificates alone, at least
	aimGrowth = 512         // bytes of memory for each more board, at most
	rivalTime = time.Second // of each measurement of a rival, before and after
)

// An enrolment is what one run measured: pace by pace, in boards.
type enrolment struct {
	Ours, Certificates, Signatures, Files pace
	Peak                                  int // bytes of memory, resident at most
}

// enrollJob enrols boards by the library, as the verb does, against the
// cryptography that no enrolment can do without.
func enrollJob(o options) (all []result, err error) {
	for _, form := range []struct {
		name, files string
		sealed      bool
	}{
		{"folders", "the file system: 6 inodes a board, all synced", false},
		{"sealed", "one inode for a thousand boards", true},
	} {
		few, err := runEnrolment(o.dir, max(1, o.boards/2), form.sealed)
		if err != nil {
			return nil, err
		}
		many, err := runEnrolment(o.dir, o.boards, form.sealed)
		if err != nil {
			return nil, err
		}
		all = append(all, judgeEnrolment(fmt.Sprintf("enrol %d boards, %s: ", o.boards, form.name), form.files, few, many)...)
	}
	return all, nil
}

func judgeEnrolment(job, files string, few, many enrolment) []result {
	growth := float64(many.Peak-few.Peak) / float64(many.Ours.Boards-few.Ours.Boards)
	against := func(rival string, p pace, aim, bound string) result {
		return result{job + "against " + rival, perSecond(many.Ours), perSecond(p), ratio(many.Ours.rate() / p.rate()), aim, bound}
	}
	return []result{
		against("key + certificate", many.Certificates, fmt.Sprintf("≥ %.1f", aimEnroll),
			fmt.Sprintf("CPU per board: %.0f µs, of which key and signature %.0f; bare files take %.0f", many.Ours.micros(), many.Signatures.micros(), many.Files.micros())),
		{job + "CPU against key + certificate", micros(many.Ours), micros(many.Certificates),
			ratio(many.Certificates.micros() / many.Ours.micros()), fmt.Sprintf("≥ %.1f", aimEnroll), "the same, where others use the machine too"},
		against("key + bare signature", many.Signatures, "-", "the same"),
		against("the files of folders alone", many.Files, "-", files),
		{job + "memory", mib(float64(many.Peak)), mib(float64(few.Peak)) + " for half",
			fmt.Sprintf("%.0f B/board", growth), fmt.Sprintf("≤ %d B/board", aimGrowth), "page caches, until they are full; two batches; MACs and sums of names"},
	}
}

func micros(p pace) string { return fmt.Sprintf("%.0f µs", p.micros()) }

func perSecond(p pace) string { return fmt.Sprintf("%.0f/s", p.rate()) }

// runEnrolment enrols in a process of its own, whose memory is then its own too.
func runEnrolment(dir string, boards int, sealed bool) (e enrolment, err error) {
	c, err := start("-enrolment", "-dir", dir, "-boards", strconv.Itoa(boards), fmt.Sprintf("-sealed=%t", sealed))
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
	sealed := flags.Bool("sealed", false, "deliver sealed")
	below := flags.String("dir", "", "write below this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(*below, "tcpboot-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := measureEnrolment(dir, *boards, *sealed)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(e)
}

func measureEnrolment(dir string, boards int, sealed bool) (e enrolment, err error) {
	enroller, err := newEnroller(dir, sealed)
	if err != nil {
		return e, err
	}
	defer enroller.Fleet.Close()
	list, err := writeList(filepath.Join(dir, "boards.csv"), boards)
	if err != nil {
		return e, err
	}
	if err := e.measureRivals(dir); err != nil {
		return e, err
	}
	if e.Ours, err = timed(func() (n int, err error) {
		plan, err := enroller.Plan(context.Background(), list)
		if err != nil {
			return 0, err
		}
		err = enroller.Carry(context.Background(), plan, func(fleet.Device, string) { n++ })
		return n, err
	}); err != nil {
		return e, err
	}
	if e.Peak, err = peakMemory(os.Getpid()); err != nil {
		return e, err
	}
	return e, e.measureRivals(dir)
}
