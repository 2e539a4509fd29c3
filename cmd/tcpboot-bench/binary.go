//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	aimSize   = 26_000_000 // bytes
	aimStart  = 12 * time.Millisecond
	startRuns = 31
	command   = "github.com/tcpboot/tcpboot/cmd/tcpboot"
	buildTags = "urfave_cli_no_docs" // those of make build
)

// binaryJob builds the command as it is released, and starts it.
func binaryJob(options) ([]result, error) {
	dir, err := os.MkdirTemp("", "tcpboot-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "tcpboot")
	build := exec.Command("go", "build", "-trimpath", "-tags", buildTags, "-ldflags", "-s -w", "-o", binary, command)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	start, err := startTime(binary)
	if err != nil {
		return nil, err
	}
	return []result{
		{"binary: size, stripped", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "-", "-",
			fmt.Sprintf("≤ %d MB", aimSize/1_000_000), "the libraries, SQLite first"},
		{"binary: CPU of --version", fmt.Sprintf("%.1f ms", start.Seconds()*1e3), "-", "-",
			fmt.Sprintf("≤ %d ms", aimStart.Milliseconds()), "packages that initialise themselves"},
	}, nil
}

// startTime is the median CPU time of tcpboot --version.
func startTime(binary string) (time.Duration, error) {
	var times []time.Duration
	for range startRuns {
		c := exec.Command(binary, "--version")
		if err := c.Run(); err != nil {
			return 0, fmt.Errorf("tcpboot --version: %w", err)
		}
		times = append(times, c.ProcessState.UserTime()+c.ProcessState.SystemTime())
	}
	slices.Sort(times)
	return times[startRuns/2], nil
}
