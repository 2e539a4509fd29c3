//go:build !linux

package site

import (
	"os"
	"path/filepath"
)

// syncSingly is whether a batch syncs file by file.
const syncSingly = true

// syncBatch makes the names in the folders parents last, and those of the
// folders that they lie in. The files below stage were synced by themselves.
func syncBatch(stage *os.File, parents []string) error {
	for _, dir := range parents {
		for dir != filepath.Dir(stage.Name()) {
			if err := syncDir(dir); err != nil {
				return err
			}
			dir = filepath.Dir(dir)
		}
	}
	return stage.Sync()
}
