package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

// An export is a folder that a RADIUS server reads. The site remembers every one
// in exportsFile and renders them all again at each change: a folder that kept
// admitting a lost board because nobody thought of it would be worse than none.
type export struct {
	Format string `json:"format"`
	Dir    string `json:"dir"` // absolute; in the file, one inside the site is relative to it

	// How its server is made to read it again; neither: not by us.
	PIDFile string `json:"pid_file,omitempty"`
	Command string `json:"reload,omitempty"` // for the shell
}

const exportsFile = "radius.exports"

// A format is a kind of export: whether the RADIUS server's key lies in it,
// whether the boards do not, and how it is written. The list of boards comes last.
type format struct {
	hasKey bool
	asks   bool // its server looks the boards up in a database
	write  func(s *session, key []byte, create creator) error
}

type creator = func(name string, secret bool) (io.WriteCloser, error)

var formats = map[string]format{
	"freeradius": {hasKey: true, write: (*session).writeFreeRADIUS},
	"sql":        {hasKey: true, asks: true, write: (*session).writeSQL},
	"authorize":  {write: (*session).writeAuthorize},
	"hostapd":    {hasKey: true, write: (*session).writeHostapd},
}

// radiusKeyFile is the server's key in an export, in the clear.
const radiusKeyFile = "radius.key"

func (s *session) exports() ([]export, error) {
	// The file names commands that are run: nobody else may have touched it.
	text, err := readSecretFile(s.site.Path(exportsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []export
	if err := strictJSON(text, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", exportsFile, err)
	}
	for i := range all {
		if !filepath.IsAbs(all[i].Dir) {
			all[i].Dir = s.site.Path(all[i].Dir)
		}
	}
	return all, nil
}

// remember writes the list. A site that is moved takes the exports inside it
// along; a copy of one must not render into those of the original.
func (s *session) remember(all []export) error {
	all = slices.Clone(all)
	for i := range all {
		if rel, err := filepath.Rel(s.site.Dir, all[i].Dir); err == nil && filepath.IsLocal(rel) {
			all[i].Dir = rel
		}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return site.WriteFile(s.site.Path(exportsFile), append(text, '\n'), 0o600)
}

// renderRADIUS renders every remembered export from the registry as it is now.
// One that fails keeps none of the others back.
func (s *session) renderRADIUS() error {
	unlock, err := s.site.Lock("render")
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.stillInMode(); err != nil {
		return fmt.Errorf("the registry is changed, but the RADIUS server's database is not: %w", err)
	}
	all, err := s.exports()
	if err != nil {
		return err
	}
	var failed []error
	kept := slices.DeleteFunc(slices.Clone(all), func(e export) bool {
		gone, err := s.renderAgain(e)
		if err != nil {
			failed = append(failed, fmt.Errorf("the registry is changed, but %s is not: %w", e.Dir, err))
		}
		return gone
	})
	if len(kept) != len(all) {
		failed = append(failed, s.remember(kept))
	}
	return errors.Join(failed...)
}

// renderAgain renders one export with the key that lies in it, unless this verb
// has opened the key itself; gone reports that
// the folder is no longer there.
func (s *session) renderAgain(e export) (gone bool, err error) {
	if _, err := os.Stat(e.Dir); errors.Is(err, fs.ErrNotExist) {
		say(s.cli, "%s is gone, and no longer rendered", e.Dir)
		return true, nil
	}
	f, known := formats[e.Format]
	if !known {
		return false, fmt.Errorf("%s: unknown format %q", exportsFile, e.Format)
	}
	var key []byte
	switch {
	case f.hasKey && s.keys.opened["radius"] != nil: // it may be new
		key, err = s.radiusKey()
	case f.hasKey:
		key, err = os.ReadFile(filepath.Join(e.Dir, radiusKeyFile))
	}
	if err != nil {
		return false, err
	}
	return false, s.writeExport(e, f, key)
}

// newExport writes an export for the first time, or anew, and remembers it.
func (s *session) newExport(e export, group string) error {
	f := formats[e.Format]
	var key []byte
	if f.hasKey {
		var err error
		if key, err = s.radiusKey(); err != nil {
			return err
		}
	}
	unlock, err := s.site.Lock("render")
	if err != nil {
		return err
	}
	defer unlock()
	all, err := s.exports()
	if err != nil {
		return err
	}
	if err := refuseForeign(e, all); err != nil {
		return err
	}
	if err := os.MkdirAll(e.Dir, 0o750); err != nil {
		return err
	}
	// Remembered first: a folder that a kill left half written is known for ours,
	// and the same command again completes it.
	others := slices.DeleteFunc(slices.Clone(all), func(o export) bool { return o.Dir == e.Dir })
	if err := s.remember(append(others, e)); err != nil {
		return err
	}
	if err := errors.Join(setGroup(e.Dir, group), s.letIn(group), s.writeExport(e, f, key)); err != nil {
		os.Remove(e.Dir) // where nothing came into it; a full folder stays
		return errors.Join(err, s.remember(all))
	}
	return nil
}

// A foreignError says that a folder holds somebody else's files.
type foreignError struct{ dir string }

func (e *foreignError) Error() string {
	return e.dir + ": holds files, and is no export of this site"
}

// refuseForeign protects a folder with other people's configuration.
func refuseForeign(e export, all []export) error {
	entries, err := os.ReadDir(e.Dir)
	same := func(o export) bool { return o.Dir == e.Dir && o.Format == e.Format }
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 || slices.ContainsFunc(all, same) {
		return nil
	}
	if err != nil {
		return err
	}
	return &foreignError{e.Dir}
}

// setGroup gives a folder to the RADIUS server's group; what is rendered into it
// goes to the group of the folder from then on.
func setGroup(dir, group string) error {
	if group == "" {
		return nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return usageError{err}
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	return os.Chown(dir, -1, gid)
}

// writeExport writes a folder's files. Every one is complete before the first
// takes its place; the list of boards comes last. They belong to the group of
// the folder, so that the server can go on reading what replaces them.
func (s *session) writeExport(e export, f format, key []byte) error {
	info, err := os.Stat(e.Dir)
	if err != nil {
		return err
	}
	gid := int(info.Sys().(*syscall.Stat_t).Gid)
	var files []*site.File
	defer func() {
		for _, f := range files {
			f.Abort()
		}
	}()
	err = f.write(s, key, func(name string, secret bool) (io.WriteCloser, error) {
		file, err := site.NewFile(filepath.Join(e.Dir, name), 0o640)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
		return buffered(file), file.Chgrp(gid)
	})
	if err != nil {
		return err
	}
	for _, file := range files {
		if f.asks && file.Same() {
			continue // a server of whose boards one changed is left entirely alone
		}
		if err := file.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) writeFreeRADIUS(key []byte, create creator) error {
	server, err := s.radiusServer(key)
	if err != nil {
		return err
	}
	return radius.Export(server, s.active(), create)
}

// writeAuthorize writes the boards alone, for a server that is there already.
func (s *session) writeAuthorize(_ []byte, create creator) error {
	w, err := create("authorize", true)
	if err != nil {
		return err
	}
	if err := radius.Authorize(w, s.active()); err != nil {
		return err
	}
	return w.Close()
}

// writeHostapd writes what hostapd needs, the CRL among it: there it is what
// shuts a certificate out.
func (s *session) writeHostapd(key []byte, create creator) error {
	server, err := s.radiusServer(key)
	if err != nil {
		return err
	}
	h := radius.HostapdServer{Server: server}
	if server.EAP.Has(fleet.TLS) {
		if h.BoardsRoot, err = s.certificates("boards-root.pem"); err != nil {
			return err
		}
		if err := s.issueCRL(); err != nil {
			return err
		}
		if h.CRLs, h.Dead, err = s.crlsInUse(); err != nil {
			return err
		}
	}
	return radius.Hostapd(h, s.active(), create)
}

// active are the boards that may be admitted, by MAC.
func (s *session) active() func(func(fleet.Device, error) bool) {
	return s.fleet.Devices(s.ctx(), registry.Filter{States: []fleet.State{fleet.Active}})
}
