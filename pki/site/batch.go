package site

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// WriteDirs does for each of many folders below root, their paths → files, what
// WriteDir does for one, but stages them together in one folder of root and
// syncs them together, which is what makes a thousand small folders quick. When
// it returns nil all are there and will last. After an error, or a power cut,
// each for itself is what it was or complete.
func WriteDirs(root string, dirs map[string]map[string][]byte, perm fs.FileMode) error {
	paths := slices.Sorted(maps.Keys(dirs))
	for _, path := range paths {
		if err := checkPaths(root, path); err != nil {
			return err
		}
		if err := checkPaths(path, slices.Collect(maps.Keys(dirs[path]))...); err != nil {
			return err
		}
	}
	if err := mkdir(root, 0o700); err != nil {
		return err
	}
	stage, err := claimDir(filepath.Join(root, "batch"))
	if err != nil {
		return err
	}
	defer stage.Close()
	err = writeBatch(root, stage, paths, dirs, perm)
	return errors.Join(err, os.RemoveAll(stage.Name()))
}

// writeBatch stages all, makes them last, then puts them in place: a power cut
// finds no folder in place whose files are not on disk.
func writeBatch(root string, stage *os.File, paths []string, dirs map[string]map[string][]byte, perm fs.FileMode) error {
	staged := func(i int) string { return filepath.Join(stage.Name(), strconv.Itoa(i)) }
	final := func(i int) string { return filepath.Join(root, paths[i]) }
	parents, err := makeParents(root, paths)
	if err != nil {
		return err
	}
	err = each(len(paths), func(i int) error {
		if err := os.Mkdir(staged(i), 0o700); err != nil {
			return err
		}
		return writeTree(staged(i), dirs[paths[i]], perm, syncSingly)
	})
	if err != nil {
		return err
	}
	if err := syncBatch(stage, parents); err != nil {
		return err
	}
	err = each(len(paths), func(i int) error { return swap(staged(i), final(i), exchange) })
	// Even when one failed: what the others replaced is about to be removed.
	return errors.Join(err, syncBatch(stage, parents))
}

// makeParents makes the folders that paths, in order, lie in, and returns them.
// The syncs of the batch make them last.
func makeParents(root string, paths []string) (parents []string, err error) {
	for _, path := range paths {
		parents = append(parents, filepath.Join(root, filepath.Dir(path)))
	}
	parents = slices.Compact(parents)
	for _, dir := range parents {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return parents, nil
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

// checkPaths refuses a path that does not stay inside the folder dir.
func checkPaths(dir string, paths ...string) error {
	for _, path := range paths {
		if !filepath.IsLocal(path) || filepath.Clean(path) != path || path == "." {
			return fmt.Errorf("%s: file name %q does not stay inside", dir, path)
		}
	}
	return nil
}
