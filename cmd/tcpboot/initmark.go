package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

// unfinished marks a folder in which an init is at work, which holds a lock on
// it, or was. Its first line is the database that this init began to make, its
// second one the mark that a registry on PostgreSQL bears then: what they name is
// init's own. A file is cleared away by the next init, which goes on with a registry
// on PostgreSQL instead: nothing is ever removed from a server. A folder with keys
// or a registry but neither settings nor this mark is somebody's, and is left alone.
const unfinished = ".init"

// A beginning is what the mark says.
type beginning struct{ database, mark string }

func readBeginning(text []byte) (b beginning) {
	var rest string
	b.database, rest, _ = strings.Cut(string(text), "\n")
	b.mark, _, _ = strings.Cut(rest, "\n")
	return b
}

// write puts b into the mark. It overwrites before it cuts off: whoever is killed
// in between has not lost the way back to a registry on a server.
func (b beginning) write(mark *os.File) error {
	text := b.database + "\n" + b.mark + "\n"
	if _, err := mark.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return errors.Join(mark.Truncate(int64(len(text))), mark.Sync())
}

// forgetInit removes the mark from a site that is made. Every verb that changes
// the site does so too, in case that init was killed right behind its moment.
func forgetInit(s *site.Site) error {
	if !exists(s.Path(unfinished)) {
		return nil // a disk that cannot be written to is not to blame for it
	}
	if err := os.Remove(s.Path(unfinished)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mayBegin refuses a folder that is a site, or that may have been one, and a
// database that no earlier init has begun to make here.
func mayBegin(ctx context.Context, s *site.Site) error {
	if exists(s.Path(site.SettingsFile)) {
		return fmt.Errorf("%w: %s", site.ErrExists, s.Path(site.SettingsFile))
	}
	text, err := os.ReadFile(s.Path(unfinished))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		for _, precious := range []string{"tcpboot.db", "keys/boards-ca.pem", "releases/index.json"} {
			if exists(s.Path(precious)) {
				return &remnantsError{s.Path(precious)}
			}
		}
	}
	begun := readBeginning(text)
	if file, ok := databaseFile(s); ok && exists(file) && s.Settings.Database != begun.database {
		return &remnantsError{file}
	}
	return registry.Vacant(ctx, databaseURL(s), begun.mark)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// databaseFile is the registry's file; false says that it lies on a server.
func databaseFile(s *site.Site) (string, bool) { return strings.CutPrefix(databaseURL(s), "sqlite:") }

// begin makes the folders, and clears away what a killed init left. Until mark is
// closed nobody else begins here.
func begin(ctx context.Context, dir string, settings site.Settings) (s *site.Site, mark *os.File, err error) {
	if s, err = site.Create(dir, settings); err != nil {
		return nil, nil, err
	}
	mark, err = site.TryLockFile(s.Path(unfinished))
	if errors.Is(err, site.ErrLocked) {
		return nil, nil, fmt.Errorf("%s: another init is at work here", s.Dir)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := startOver(ctx, s, mark); err != nil {
		mark.Close()
		return nil, nil, err
	}
	return s, mark, nil
}

// startOver clears away what the mark says was begun, and marks what begins now.
// It looks again whether it may: another init can have come and gone meanwhile.
func startOver(ctx context.Context, s *site.Site, mark *os.File) error {
	if err := mayBegin(ctx, s); err != nil {
		if errors.Is(err, site.ErrExists) {
			err = errors.Join(err, forgetInit(s)) // the mark is of our making
		}
		return err
	}
	text, err := io.ReadAll(mark)
	if err != nil {
		return err
	}
	begun := readBeginning(text)
	earlier := &site.Site{Dir: s.Dir, Settings: site.Settings{Database: begun.database}}
	if file, ok := databaseFile(earlier); ok {
		if err := removeDatabase(file); err != nil {
			return err
		}
	}
	return beginning{s.Settings.Database, cmp.Or(begun.mark, rand.Text())}.write(mark)
}

// removeDatabase removes a SQLite database, whole or begun.
func removeDatabase(file string) error {
	begun, err := filepath.Glob(globQuote(file) + ".new-*")
	if err != nil {
		return err
	}
	for _, name := range append(begun, file, file+"-wal", file+"-shm") {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// globQuote is the pattern that matches path alone.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// A remnantsError says that a folder holds a site's parts, but no settings.
type remnantsError struct{ path string }

func (e *remnantsError) Error() string {
	return fmt.Sprintf("%s is there, but no %s beside it: this may be a site that lost its settings", e.path, site.SettingsFile)
}
