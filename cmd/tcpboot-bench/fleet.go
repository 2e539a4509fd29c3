//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// A fleetMeasure is what one registry of many boards took.
type fleetMeasure struct {
	Boards, Entries    int
	Export, Bare, List pace
	Show               float64 // milliseconds
	Start, Peak        int     // bytes of memory, resident at most
}

const entries = 100_000 // of the RADIUS export

// fleetJob asks a large registry what people and RADIUS servers ask.
func fleetJob(o options) ([]result, error) {
	c, err := start("-fleet", "-dir", o.dir, "-boards", strconv.Itoa(o.fleet))
	if err != nil {
		return nil, err
	}
	said, err := c.line()
	if err := errors.Join(err, c.stop()); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	var m fleetMeasure
	if err := json.Unmarshal([]byte(said), &m); err != nil {
		return nil, err
	}
	job := fmt.Sprintf("fleet of %d: ", m.Boards)
	return []result{
		{fmt.Sprintf("%sRADIUS export of %d entries", job, m.Entries), seconds(m.Export), seconds(m.Bare) + " for the bytes alone",
			ratio(m.Export.Seconds / m.Bare.Seconds), "-", fmt.Sprintf("reading the registry: CPU per entry %.0f µs", m.Export.micros())},
		{job + "list as JSON", seconds(m.List), perSecond(m.List), "-", "-", fmt.Sprintf("reading the registry: CPU per board %.0f µs", m.List.micros())},
		{job + "show one", fmt.Sprintf("%.2f ms", m.Show), "-", "-", "-", "an index"},
		{job + "memory of export and list", mib(float64(m.Peak)), mib(float64(m.Start)) + " before", "-", "flat", "page caches"},
	}, nil
}

func seconds(p pace) string { return fmt.Sprintf("%.2f s", p.Seconds) }

// fleetChild makes the registry in a process of its own, and measures it in
// another, whose memory is then that of the questions.
func fleetChild(args []string) error {
	flags := flag.NewFlagSet("-fleet", flag.ContinueOnError)
	boards := flags.Int("boards", 1000, "how many")
	below := flags.String("dir", "", "write below this folder")
	made := flags.String("made", "", "measure the registry in this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *made != "" {
		m, err := measureFleet(*made, *boards)
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(m))
	}
	dir, err := os.MkdirTemp(*below, "tcpboot-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := makeFleet(dir, *boards); err != nil {
		return err
	}
	c, err := start("-fleet", "-made", dir, "-boards", strconv.Itoa(*boards))
	if err != nil {
		return err
	}
	said, err := c.line()
	fmt.Println(said)
	return errors.Join(err, c.stop())
}

func fleetURL(dir string) string { return "sqlite:" + filepath.Join(dir, "tcpboot.db") }

// makeFleet fills a registry with boards whose credentials exist nowhere else.
func makeFleet(dir string, boards int) error {
	ctx := context.Background()
	f, err := registry.Create(ctx, fleetURL(dir), registry.Options{Who: "bench"})
	if err != nil {
		return err
	}
	defer f.Close()
	for from := 0; from < boards; from += 10_000 {
		var batch []registry.Entry
		var macs []fleet.MAC
		for i := from; i < min(from+10_000, boards); i++ {
			e := madeUp(i)
			batch, macs = append(batch, e), append(macs, e.Device.MAC)
		}
		if err := f.Add(ctx, batch); err != nil {
			return err
		}
		if err := f.Activate(ctx, macs); err != nil {
			return err
		}
	}
	return nil
}

func madeUp(i int) registry.Entry {
	sum := fleet.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
	a := fleet.Admission{Serial: fleet.Serial(sum[:16]), Certificate: sum, NTHash: fleet.NTHash(sum[16:]), Issued: time.Now()}
	a.Serial[0] |= 1
	return registry.Entry{Admission: a, Device: fleet.Device{
		MAC: boardMAC(i), Name: fmt.Sprintf("door %d", i), Hardware: "esp32", Channel: "stable", EAP: fleet.TLS | fleet.PEAP,
	}}
}

func measureFleet(dir string, boards int) (m fleetMeasure, err error) {
	f, err := registry.Open(context.Background(), fleetURL(dir), registry.Options{ReadOnly: true})
	if err != nil {
		return m, err
	}
	defer f.Close()
	m.Boards, m.Entries = boards, min(entries, boards)
	if m.Start, err = peakMemory(os.Getpid()); err != nil {
		return m, err
	}
	authorize := filepath.Join(dir, "authorize")
	if m.Export, err = timed(func() (int, error) { return m.Entries, export(f, authorize, m.Entries) }); err != nil {
		return m, err
	}
	if m.Bare, err = bareWrite(authorize); err != nil {
		return m, err
	}
	if m.List, err = timed(func() (int, error) { return boards, listAll(f) }); err != nil {
		return m, err
	}
	began := time.Now()
	const shown = 100
	for i := range shown {
		if _, err := f.Device(context.Background(), boardMAC(i*7919%boards)); err != nil {
			return m, err
		}
	}
	m.Show = time.Since(began).Seconds() * 1e3 / shown
	m.Peak, err = peakMemory(os.Getpid())
	return m, err
}

// export writes the entries of so many boards, as radius export does.
func export(f *registry.Fleet, path string, n int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	active := registry.Filter{States: []fleet.State{fleet.Active}}
	if err := radius.Authorize(w, first(n, f.Devices(context.Background(), active))); err != nil {
		return err
	}
	return errors.Join(w.Flush(), file.Sync())
}

func first(n int, devices iter.Seq2[fleet.Device, error]) iter.Seq2[fleet.Device, error] {
	return func(yield func(fleet.Device, error) bool) {
		left := n
		for d, err := range devices {
			if left == 0 || !yield(d, err) {
				return
			}
			left--
		}
	}
}

// bareWrite writes as many bytes, synced.
func bareWrite(path string) (pace, error) {
	info, err := os.Stat(path)
	if err != nil {
		return pace{}, err
	}
	data := make([]byte, info.Size())
	return timed(func() (int, error) {
		f, err := os.Create(path + ".bare")
		if err != nil {
			return 0, err
		}
		_, err = f.Write(data)
		return 1, errors.Join(err, f.Sync(), f.Close())
	})
}

func listAll(f *registry.Fleet) error {
	enc := json.NewEncoder(io.Discard)
	for d, err := range f.Devices(context.Background(), registry.Filter{}) {
		if err != nil {
			return err
		}
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	return nil
}
