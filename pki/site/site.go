// Package site is a site on disk: one folder that holds everything one
// installation of tcpboot knows, and the rules for reading and writing it.
//
//	tcpboot.yaml     the settings, which people edit; a folder with it is a site
//	tcpboot.db       the registry, when it is SQLite
//	head.json        how far the site has come, written after the registry
//	visits.db        what the image servers write
//	keys/            private keys, encrypted; 0700
//	certs/           roots, issuing certificates, server certificates
//	releases/        firmware at rest
//	radius/          rendered for the RADIUS server, never edited by hand
//	boards/          one-time deliveries, a folder per board; 0700
//
// # Making one
//
// Create makes the folders, the caller fills them with keys and certificates,
// and Commit writes tcpboot.yaml: that is the moment. A run that was killed
// before has left folders but no site, and may be started again. A site that is
// brought back is a Draft.
//
// # Trusting one
//
// Whoever can write to a site decides what boards trust. Open therefore refuses
// a site whose folder, settings, keys, certs or boards belong to somebody other
// than the user or root, or can be written by group or others.
//
// # Writing to one
//
// Everything that is replaced is replaced whole: written under a temporary name
// beside it, synced, renamed, and the folder synced. After a power cut there is
// the old or the new, complete. See WriteFile, NewFile, WriteDir, WriteDirs. What a
// killed run leaves behind begins with a dot and is removed by the next write
// to the same name.
package site

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SettingsFile is the file that makes a folder a site.
const SettingsFile = "tcpboot.yaml"

// ErrNoSite says that no site was found.
var ErrNoSite = errors.New("no tcpboot site")

// ErrExists says that there is a site already.
var ErrExists = errors.New("a tcpboot site exists already")

// A Site is one site on disk. Dir is absolute.
type Site struct {
	Dir      string
	Settings Settings
}

// folders are a site's, with the permissions that Create gives them.
var folders = []struct {
	name string
	perm fs.FileMode
	own  bool // refused when somebody else could write to it
}{
	{".", 0o750, true},
	{"keys", 0o700, true},
	{"certs", 0o750, true},
	{"boards", 0o700, true},
	{"releases", 0o750, false},
	{"radius", 0o750, false},
}

// Path returns the path of something in the site: Path("certs", "radius.pem").
func (s *Site) Path(elem ...string) string {
	return filepath.Join(append([]string{s.Dir}, elem...)...)
}

// Find returns the nearest folder upwards from start that is a site, start
// itself included. When there is none the error is ErrNoSite.
func Find(start string) (dir string, err error) {
	if dir, err = filepath.Abs(start); err != nil {
		return "", err
	}
	from := dir
	for {
		_, err = os.Lstat(filepath.Join(dir, SettingsFile))
		if err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if up == dir {
			return "", fmt.Errorf("%w: no %s in %s or a folder above it", ErrNoSite, SettingsFile, from)
		}
		dir = up
	}
}

// Open opens the site in dir, after looking at who could have written it. When
// dir is not a site the error is ErrNoSite.
func Open(dir string) (*Site, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkFolders(dir, os.Geteuid()); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, SettingsFile)
	data, err := readOwn(file, os.Geteuid())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no %s in %s", ErrNoSite, SettingsFile, dir)
	}
	if err != nil {
		return nil, err
	}
	s, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	return &Site{dir, s}, nil
}

// readOwn reads a settings file that only uid or root can have written. What
// is checked is the open file, so nobody can swap it in between.
func readOwn(file string, uid int) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: mode %v: not a regular file", file, info.Mode())
	}
	if err := checkOwner(file, info, uid); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, MaxSettings+1))
}

// Create makes the folders of a new site in dir, which may exist. Until Commit
// it is not a site yet; a run that died in between may call Create again. When
// dir is a site already the error is ErrExists; then, and when others could write
// to it, nothing has changed.
func Create(dir string, s Settings) (*Site, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, SettingsFile)); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, filepath.Join(dir, SettingsFile))
	}
	if err := checkFolders(dir, os.Geteuid()); err != nil { // before anything is put into it
		return nil, err
	}
	for _, f := range folders {
		if err := mkdir(filepath.Join(dir, f.name), f.perm); err != nil {
			return nil, err
		}
	}
	if err := checkFolders(dir, os.Geteuid()); err != nil {
		return nil, err
	}
	return &Site{dir, s}, nil
}

// Commit writes the settings: from now on this is a site. When another run was
// faster the error is ErrExists, and its settings stand.
func (s *Site) Commit() error {
	f, err := NewFile(s.Path(SettingsFile), 0o640)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(s.Settings.Render()); err != nil {
		return err
	}
	err = f.commit(func(temp, final string) error {
		if err := os.Link(temp, final); err != nil {
			return err
		}
		return os.Remove(temp)
	})
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, s.Path(SettingsFile))
	}
	return err
}
