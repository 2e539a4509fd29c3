//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// cpu returns the CPU time that the processes have used.
func cpu(pids []int) (total time.Duration, err error) {
	const ticks = 100 // USER_HZ, the same on every architecture of Linux
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(stat), ") ") // behind the name
		fields := strings.Fields(rest)
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		total += time.Duration(user+system) * time.Second / ticks
	}
	return total, nil
}

// children returns the processes that pid has started.
func children(pid int) (pids []int, err error) {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(list)) {
		child, _ := strconv.Atoi(field)
		pids = append(pids, child)
	}
	return pids, err
}

// peakMemory returns the most memory, in bytes, that pid has ever had resident.
func peakMemory(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return numberAfter(string(status), "VmHWM:") << 10, nil
}

// kernelTCP returns the bytes that TCP sockets hold in the kernel, both ends of
// the loopback and everybody else's.
func kernelTCP() (int, error) {
	stat, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, err
	}
	_, tcp, _ := strings.Cut(string(stat), "TCP:")
	return numberAfter(tcp, "mem ") * os.Getpagesize(), nil
}

func numberAfter(text, label string) int {
	_, rest, _ := strings.Cut(text, label)
	n := 0
	fmt.Sscan(rest, &n)
	return n
}
