package site

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncSingly is whether a batch syncs file by file. Linux can sync all of a file
// system at once, in the time that a few files take.
const syncSingly = false

// syncBatch makes what lies in the folder stage, and the names in the folders
// parents of the same file system, last.
func syncBatch(stage *os.File, parents []string) error {
	if err := unix.Syncfs(int(stage.Fd())); err != nil {
		return fmt.Errorf("sync the file system of %s: %w", stage.Name(), err)
	}
	return nil
}
