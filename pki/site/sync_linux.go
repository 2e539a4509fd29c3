package site

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncSingly is whether a batch syncs file by file. Linux can sync all of a file
// system at once, in the time that one file takes.
const syncSingly = false

// syncAll makes what lies below the open folders last.
func syncAll(files []*os.File) error {
	done := make(map[uint64]bool)
	for _, f := range files {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		dev := uint64(info.Sys().(*syscall.Stat_t).Dev)
		if done[dev] {
			continue
		}
		if err := unix.Syncfs(int(f.Fd())); err != nil {
			return fmt.Errorf("sync the file system of %s: %w", f.Name(), err)
		}
		done[dev] = true
	}
	return nil
}

// syncParents makes what was renamed beside the open folders last.
func syncParents(files []*os.File) error { return syncAll(files) }
