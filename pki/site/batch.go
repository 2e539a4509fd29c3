package site

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// batch bounds how many folders WriteDirs has open at a time.
const batch = 256

// WriteDirs does for each of many folders, path → files, what WriteDir does for
// one, but syncs them together, which is what makes a thousand small folders
// quick. When it returns nil all are there and will last. After an error, or a
// power cut, each for itself is what it was or complete.
func WriteDirs(dirs map[string]map[string][]byte, perm fs.FileMode) error {
	for part := range slices.Chunk(slices.Sorted(maps.Keys(dirs)), batch) {
		if err := writeBatch(part, dirs, perm); err != nil {
			return err
		}
	}
	return nil
}

// writeBatch stages all, makes them last, then puts them in place: a power cut
// finds no folder in place whose files are not on disk.
func writeBatch(finals []string, dirs map[string]map[string][]byte, perm fs.FileMode) error {
	stages := make([]*os.File, len(finals))
	defer func() {
		each(len(stages), func(i int) error {
			if stages[i] == nil {
				return nil
			}
			defer stages[i].Close()
			return os.RemoveAll(stages[i].Name())
		})
	}()
	err := each(len(finals), func(i int) (err error) {
		stages[i], err = stageDir(finals[i], dirs[finals[i]], perm, syncSingly)
		return err
	})
	if err != nil {
		return err
	}
	if err := syncAll(stages); err != nil {
		return err
	}
	err = each(len(finals), func(i int) error { return swap(stages[i].Name(), finals[i], exchange) })
	// Even when one failed: what the others replaced is about to be removed.
	return errors.Join(err, syncParents(stages))
}

// each calls do for 0 … n-1 on all cores and returns the first error.
func each(n int, do func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}
