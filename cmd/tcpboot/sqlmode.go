package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/site"
)

// In SQL mode the RADIUS server looks a board up by itself, at each login. So
// nothing is rendered when a board changes, and nothing done to the server. From
// PostgreSQL it reads the registry; beside a registry in SQLite it reads a file
// of its own, the mirror, which every change keeps up to date.

// defaultMirror lies in a folder of its own: the server's group may enter it, and
// sees nothing else of the site.
const defaultMirror = "sqlite:radius-db/radius.db"

// mirrorFile is where the mirror lies; "" on a site that has none.
func mirrorFile(s *site.Site) string {
	file, _ := strings.CutPrefix(absoluteURL(s, s.Settings.RADIUS.Database), "sqlite:")
	if _, server := databaseFile(s); !server {
		return ""
	}
	return file
}

// radiusDatabase is what the RADIUS server is told to read. Where nobody gave it a
// role of its own, it is the registry's URL.
func radiusDatabase(s *site.Site) string {
	if s.Settings.RADIUS.Database == "" {
		return databaseURL(s)
	}
	return absoluteURL(s, s.Settings.RADIUS.Database)
}

// toSQL puts the site into SQL mode, unless it is: from here on every change keeps
// the mirror up to date. The setting comes first, so that a kill behind it leaves a
// mirror that nobody reads, never one that nobody keeps up to date.
func (s *session) toSQL(asked string) error {
	has := s.site.Settings.RADIUS.Database
	_, embedded := databaseFile(s.site)
	switch {
	case asked != "" && has != "" && asked != has:
		return fmt.Errorf("--database %s: tcpboot.yaml has radius.database: %s", asked, has)
	case has != "":
		return nil
	case asked == "" && !embedded && !namesRole(databaseURL(s.site)):
		return usagef("radius export: the registry's URL names no role: say with --database postgres://ROLE@… by which the RADIUS server reads")
	case asked == "" && !embedded:
		say(s.cli, "note: the RADIUS server reads by the registry's own URL: give it a role of tcpboot_radius, which may read the boards and nothing else, with --database")
		return nil
	case asked == "":
		asked = defaultMirror
	}
	if err := s.site.SetRADIUSDatabase(asked); err != nil {
		return err
	}
	return errors.Join(s.fleet.Close(), s.open(writing()))
}

func namesRole(server string) bool {
	u, err := url.Parse(server)
	return err == nil && (u.User.Username() != "" || u.Query().Has("user"))
}

// stillInMode notices that the site went into SQL mode while this verb was at
// work: what it changed is not in the mirror then.
func (s *session) stillInMode() error {
	now, err := site.Open(s.site.Dir)
	if err != nil || mirrorFile(now) == mirrorFile(s.site) || mirrorFile(now) == "" {
		return err
	}
	s.site = now
	if err := errors.Join(s.fleet.Close(), s.open(writing())); err != nil {
		return err
	}
	return s.fleet.SyncRADIUS(s.ctx())
}

// errNoMirror says that somebody took the setting away, under a server that goes on
// admitting by what the mirror held then.
var errNoMirror = errors.New("radius.database is not in tcpboot.yaml any more: the RADIUS server reads a file that no change reaches")

// writeSQL writes a folder of which no file is about a board.
func (s *session) writeSQL(key []byte, create creator) error {
	if _, embedded := databaseFile(s.site); embedded && mirrorFile(s.site) == "" {
		return errNoMirror
	}
	server, err := s.radiusServer(key)
	if err != nil {
		return err
	}
	server.Database = radiusDatabase(s.site)
	return radius.Export(server, nil, create)
}

// letIn gives a group its way to the mirror: the folder, in which what is made anew
// goes to the same group, and the file. The site's own folder lets others through
// then, without showing them what is in it.
func (s *session) letIn(group string) error {
	file := mirrorFile(s.site)
	if group == "" || file == "" {
		return nil
	}
	dir := filepath.Dir(file)
	if err := errors.Join(setGroup(dir, group), os.Chmod(dir, 0o750|fs.ModeSetgid), setGroup(file, group), os.Chmod(file, 0o640)); err != nil {
		return err
	}
	if rel, err := filepath.Rel(s.site.Dir, file); err != nil || !filepath.IsLocal(rel) {
		return nil
	}
	info, err := os.Stat(s.site.Dir)
	if err != nil || info.Mode()&0o001 != 0 {
		return err
	}
	say(s.cli, "note: %s lets others through now (mode %04o), on the way of group %s to %s", s.site.Dir, info.Mode().Perm()|0o001, group, dir)
	return os.Chmod(s.site.Dir, info.Mode().Perm()|0o001)
}

// sayAtOnce is the answer of a reload that nobody needs.
func (s *session) sayAtOnce() error {
	return answer(s.cli, map[string]int{"reloaded": 0}, func(w io.Writer) {
		fmt.Fprintln(w, "nothing to reload: the RADIUS server asks the database at each login")
	})
}
