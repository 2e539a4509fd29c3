//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The aims of serving.
const (
	aimThroughput = 1.0 // of nginx's, at least
	aimCPU        = 1.5 // times nginx's CPU time per GiB, at most
	aimUser       = 64 << 20
	aimKernel     = 160 << 20

	fastClients = 64
	slowRate    = 20_000 // bytes per second
	rounds      = 2
)

// serveJob measures the server of version 1: boards at full speed against nginx
// and its sendfile, and what thousands of slow boards cost.
func serveJob(o options) ([]result, error) {
	var results []result
	for _, size := range []int64{1 << 20, 3 << 20} {
		r, err := fast(size, o.seconds)
		if err != nil {
			return nil, err
		}
		results = append(results, r...)
	}
	if o.slow == 0 {
		return results, nil
	}
	r, err := slowly(o.slow, o.hold)
	return append(results, r...), err
}

// withImage calls f with a folder that holds an image of so many bytes.
func withImage(size int64, f func(dir string) error) error {
	dir, err := os.MkdirTemp("", "tcpboot-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers are not us
		return err
	}
	image := make([]byte, size)
	for i := range image {
		image[i] = byte(i >> 8)
	}
	image[0] = 0xe9
	if err := os.WriteFile(filepath.Join(dir, "image"), image, 0o644); err != nil {
		return err
	}
	return f(dir)
}

// A measure is what a server did and what it took.
type measure struct {
	load
	cpu time.Duration
}

func (m *measure) add(o measure) {
	m.Bytes += o.Bytes
	m.Seconds += o.Seconds
	m.Errors += o.Errors
	m.Resets += o.Resets
	m.cpu += o.cpu
}

func (m measure) rate() float64   { return float64(m.Bytes) / m.Seconds }
func (m measure) perGiB() float64 { return m.cpu.Seconds() / float64(m.Bytes) * (1 << 30) }

// fast measures both servers in turns, so that a busy machine is busy for both.
func fast(size int64, seconds float64) (results []result, err error) {
	err = withImage(size, func(dir string) error {
		ours, rival, err := duel(dir, size, seconds)
		if err != nil {
			return err
		}
		results, err = judge(size, ours, rival)
		return err
	})
	return results, err
}

func duel(dir string, size int64, seconds float64) (ours, rival measure, err error) {
	child, address, err := startServer(dir, fastClients)
	if err != nil {
		return ours, rival, err
	}
	defer child.stop()
	nginx, err := startNginx(dir)
	if err != nil {
		return ours, rival, err
	}
	defer nginx.stop()
	for range rounds {
		a, err := runServer([]int{child.Process.Pid}, "v1", address, size, seconds)
		if err != nil {
			return ours, rival, err
		}
		b, err := runServer(nginx.workers, "http", nginx.address, size, seconds)
		if err != nil {
			return ours, rival, err
		}
		ours.add(a)
		rival.add(b)
	}
	return ours, rival, nil
}

func startServer(dir string, clients int) (*child, string, error) {
	c, err := start("-serve-v1", "-image", filepath.Join(dir, "image"), "-clients", strconv.Itoa(clients))
	if err != nil {
		return nil, "", err
	}
	address, err := c.line()
	if err != nil {
		c.stop()
	}
	return c, address, err
}

func runServer(pids []int, protocol, address string, size int64, seconds float64) (m measure, err error) {
	before, err := cpu(pids)
	if err != nil {
		return m, err
	}
	m.load, err = runLoad("-protocol", protocol, "-address", address, "-clients", strconv.Itoa(fastClients),
		"-size", strconv.FormatInt(size, 10), "-seconds", fmt.Sprint(seconds))
	if err != nil {
		return m, err
	}
	after, err := cpu(pids)
	m.cpu = after - before
	if m.Bytes == 0 {
		err = fmt.Errorf("%s served nothing: %s", protocol, m.LastError)
	}
	return m, err
}

func judge(size int64, ours, rival measure) ([]result, error) {
	if n := ours.Errors + ours.Resets; n > 0 {
		return nil, fmt.Errorf("%d downloads of ours failed: %s", n, ours.LastError)
	}
	job := fmt.Sprintf("%d clients, %d MiB: ", fastClients, size>>20)
	share := ours.cpu.Seconds() / ours.Seconds
	return []result{
		{job + "throughput", mib(ours.rate()) + "/s", mib(rival.rate()) + "/s", ratio(ours.rate() / rival.rate()),
			fmt.Sprintf("≥ %.1f", aimThroughput),
			fmt.Sprintf("the clients, which share the CPUs: the server used %.2f of them", share)},
		{job + "CPU s/GiB", fmt.Sprintf("%.3f", ours.perGiB()), fmt.Sprintf("%.3f", rival.perGiB()), ratio(ours.perGiB() / rival.perGiB()),
			fmt.Sprintf("≤ %.1f", aimCPU), "sendfile in the kernel; and nginx closes at once, where a v1 server waits for the client"},
	}, nil
}

// slowly measures the memory that slow clients cost. Kernel memory counts both
// ends, because the loopback has both.
func slowly(clients int, seconds float64) (results []result, err error) {
	if err := enoughFiles(clients + 200); err != nil {
		return nil, err
	}
	err = withImage(3<<20, func(dir string) error {
		child, address, err := startServer(dir, clients)
		if err != nil {
			return err
		}
		defer child.stop()
		before, err := kernelTCP()
		if err != nil {
			return err
		}
		peak := watchKernel()
		l, err := runLoad("-address", address, "-clients", strconv.Itoa(clients), "-size", strconv.Itoa(3<<20),
			"-rate", strconv.Itoa(slowRate), "-seconds", fmt.Sprint(seconds))
		kernel := peak() - before
		if err != nil {
			return err
		}
		user, err := peakMemory(child.Process.Pid)
		if err != nil {
			return err
		}
		results, err = judgeSlow(clients, l, user, kernel)
		return err
	})
	return results, err
}

func judgeSlow(clients int, l load, user, kernel int) ([]result, error) {
	if l.Connected < int64(clients) {
		return nil, fmt.Errorf("only %d of %d slow clients were served: %s", l.Connected, clients, l.LastError)
	}
	job := fmt.Sprintf("%d clients at 20 KB/s: ", clients)
	return []result{
		{job + "user memory", mib(float64(user)), "-", "-", "≤ " + mib(aimUser), "a goroutine for each"},
		{job + "kernel memory", mib(float64(kernel)), "-", "-", "≤ " + mib(aimKernel), "send and receive queues, both ends"},
		{job + "resets, errors", fmt.Sprintf("%d, %d", l.Resets, l.Errors), "-", "-", "0, 0",
			fmt.Sprintf("%s/s in total", mib(float64(l.Bytes)/l.Seconds))},
	}, nil
}

// enoughFiles says whether a process may open so many. The runtime has raised
// the soft limit to the hard one by itself.
func enoughFiles(n int) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return err
	}
	if r.Max < uint64(n) {
		return errors.New("the limit of open files (ulimit -Hn) is " + strconv.FormatUint(r.Max, 10) + ", needed are " + strconv.Itoa(n) + "; or use a smaller -slow")
	}
	return nil
}

// watchKernel looks at the TCP memory until the function it returns is called,
// which returns the peak.
func watchKernel() func() int {
	stop, peak := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for tick := time.Tick(100 * time.Millisecond); ; {
			select {
			case <-tick:
				if n, err := kernelTCP(); err == nil {
					most = max(most, n)
				}
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	return func() int { close(stop); return <-peak }
}

func mib(bytes float64) string   { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }
func ratio(value float64) string { return fmt.Sprintf("%.2f", value) }
