package custody

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// trusted returns path without symbolic links to its folder, after checking that
// nobody but root and uid could have put another file there: neither into the
// file, nor into its folder, nor into one above that.
func trusted(path string, uid int) (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(path))
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: mode %v: not a regular file", path, info.Mode())
	}
	if err := checkOwner(path, info, uid); err != nil {
		return "", err
	}
	return path, trustedFolder(dir, uid)
}

// trustedFolder checks dir and all folders above it. In one with the sticky bit,
// such as /tmp, others cannot touch what is not theirs, so above dir it will do.
func trustedFolder(dir string, uid int) error {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if at != dir && info.Mode()&fs.ModeSticky != 0 {
			info = withoutWrite{info}
		}
		if err := checkOwner(at, info, uid); err != nil {
			return err
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// withoutWrite is a folder in which writing does no harm.
type withoutWrite struct{ fs.FileInfo }

func (i withoutWrite) Mode() fs.FileMode { return i.FileInfo.Mode() &^ 0o022 }

// checkOwner says why uid cannot trust what path holds.
func checkOwner(path string, info fs.FileInfo, uid int) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !ok:
		return fmt.Errorf("%s: mode %v: its owner cannot be told", path, mode)
	case stat.Uid != 0 && int(stat.Uid) != uid:
		return fmt.Errorf("%s: mode %v: owned by uid %d, neither by uid %d nor by root", path, mode, stat.Uid, uid)
	case mode.Perm()&0o022 != 0:
		return fmt.Errorf("%s: mode %v: others than its owner can write to it", path, mode)
	}
	return nil
}
