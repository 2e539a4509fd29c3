//go:build !linux

package site

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// syncSingly is whether a batch syncs file by file.
const syncSingly = true

// syncAll has nothing left to do: every file and folder was synced by itself.
func syncAll([]*os.File) error { return nil }

// syncParents makes what was renamed beside the open folders last.
func syncParents(files []*os.File) error {
	for _, dir := range parents(files) {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// parents lists the folders that files lie in, each once.
func parents(files []*os.File) []string {
	seen := make(map[string]bool)
	for _, f := range files {
		seen[filepath.Dir(f.Name())] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
