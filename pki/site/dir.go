package site

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// WriteDir replaces the folder final by one that holds exactly those files:
// path inside the folder → content. Files get the permissions perm, folders the
// same with x wherever there is r. Folders above final are made, 0700.
//
// The new folder is written and synced beside the old one and then put in its
// place. On Linux the two change places in one step, so that at every moment
// final is there and complete. Elsewhere the old folder is first moved aside;
// a run that dies between the two moves leaves it there, and the next WriteDir
// moves it back. After an error final is what it was, or complete.
func WriteDir(final string, files map[string][]byte, perm fs.FileMode) error {
	return writeDir(final, files, perm, exchange)
}

func writeDir(final string, files map[string][]byte, perm fs.FileMode, exchange func(a, b string) error) error {
	stage, err := stageDir(final, files, perm)
	if err != nil {
		return err
	}
	defer stage.Close()
	swapped, err := replaceDir(stage.Name(), final, exchange)
	if !swapped {
		return errors.Join(err, os.RemoveAll(stage.Name()))
	}
	return err // with one, the old folder, now at stage, stays until somebody can sync
}

// ReplaceDir puts the folder staged, which WriteDir has written, in the place of
// the folder final, if there is one, and removes the old one. Both must have one
// parent. A run that dies meanwhile can leave the old folder at staged.
func ReplaceDir(staged, final string) error {
	if filepath.Dir(staged) != filepath.Dir(final) {
		return fmt.Errorf("%s and %s are not side by side", staged, final)
	}
	_, err := replaceDir(staged, final, exchange)
	return err
}

// replaceDir puts the folder stage in the place of the folder final, and removes
// the old one once that lasts. The old one lies at stage meanwhile, a name that
// carries no lock of ours any more: that nobody takes it, fills it and loses it
// again is because their parent stays locked until it is free.
func replaceDir(stage, final string, exchange func(a, b string) error) (swapped bool, err error) {
	unlock, err := lockDir(filepath.Dir(final))
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := swapLocked(stage, final, exchange); err != nil {
		return false, err
	}
	if err := syncDir(filepath.Dir(final)); err != nil {
		return true, err
	}
	return true, os.RemoveAll(stage)
}

// stageDir writes files to a new folder beside final, locked while the returned
// file is open, and makes them last.
func stageDir(final string, files map[string][]byte, perm fs.FileMode) (*os.File, error) {
	if err := checkPaths(final, slices.Collect(maps.Keys(files))...); err != nil {
		return nil, err
	}
	if err := mkdir(filepath.Dir(final), 0o700); err != nil {
		return nil, err
	}
	stage, err := claimDir(final)
	if err != nil {
		return nil, err
	}
	if err := writeTree(stage.Name(), files, perm, true); err != nil {
		os.RemoveAll(stage.Name())
		stage.Close()
		return nil, err
	}
	return stage, nil
}

// claimDir makes a folder beside final, locked while the returned file is open.
func claimDir(final string) (*os.File, error) {
	return claim(final, "new", func(temp string) (*os.File, error) {
		if err := os.Mkdir(temp, 0o700); err != nil {
			return nil, err
		}
		return os.Open(temp)
	})
}

// swap makes the folder stage the folder final: here it becomes true, and with
// the next sync of their parent it lasts. What was final, if anything, is then
// at stage.
func swap(stage, final string, exchange func(a, b string) error) error {
	unlock, err := lockDir(filepath.Dir(final))
	if err != nil {
		return err
	}
	defer unlock()
	return swapLocked(stage, final, exchange)
}

// swapLocked is swap for a caller who has locked their parent.
func swapLocked(stage, final string, exchange func(a, b string) error) error {
	aside := filepath.Join(filepath.Dir(final), "."+filepath.Base(final)+".old")
	if err := recoverAside(aside, final); err != nil {
		return err
	}
	info, err := os.Lstat(final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.Rename(stage, final)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: mode %v: not a folder, so it is not replaced by one", final, info.Mode())
	default:
		if err = exchange(stage, final); errors.Is(err, errors.ErrUnsupported) {
			err = swapAside(stage, final, aside)
		}
	}
	return err
}

// swapAside exchanges two folders in three steps. Between the first and the
// second, aside is the old folder and recoverAside brings it back.
func swapAside(stage, final, aside string) error {
	if err := os.Rename(final, aside); err != nil {
		return err
	}
	if err := os.Rename(stage, final); err != nil {
		return errors.Join(err, os.Rename(aside, final))
	}
	return os.Rename(aside, stage)
}

// recoverAside clears up after a swapAside that was cut short: the old folder
// goes back when there is no new one, and away when there is.
func recoverAside(aside, final string) error {
	if _, err := os.Lstat(aside); err != nil {
		return nil
	}
	if _, err := os.Lstat(final); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(aside, final)
	}
	if err := syncDir(filepath.Dir(final)); err != nil {
		return err
	}
	return os.RemoveAll(aside)
}

// writeTree fills the folder root, which is empty and 0700, and, when sync is
// set, syncs every file and folder of it.
func writeTree(root string, files map[string][]byte, perm fs.FileMode, sync bool) error {
	dirs := map[string]bool{root: true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		if !dirs[filepath.Dir(path)] {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
		}
		if err := writeNew(path, files[name], perm, sync); err != nil {
			return err
		}
		for dir := filepath.Dir(path); !dirs[dir]; dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		if err := finishDir(dir, 0o700|perm|perm&0o444>>2, sync); err != nil {
			return err
		}
	}
	return nil
}

// finishDir gives a folder, made 0700, its permissions.
func finishDir(dir string, perm fs.FileMode, sync bool) error {
	if perm != 0o700 {
		if err := os.Chmod(dir, perm); err != nil {
			return err
		}
	}
	if !sync {
		return nil
	}
	return syncDir(dir)
}

func writeNew(path string, data []byte, perm fs.FileMode, sync bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && perm != 0o600 {
		err = f.Chmod(perm)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// MakeDir makes the folder dir and what is missing above it, all 0700, so that
// they last. What is there keeps its permissions.
func MakeDir(dir string) error { return mkdir(dir, 0o700) }

// mkdir makes dir and what is missing above it, so that it lasts. A folder that
// is there keeps its permissions.
func mkdir(dir string, perm fs.FileMode) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: unix.ENOTDIR}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := mkdir(parent, perm); err != nil {
		return err
	}
	if err := os.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}
