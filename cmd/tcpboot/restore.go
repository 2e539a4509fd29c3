package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/backup"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/bundle"
)

var restoreVerb = &cli.Command{
	Name:      "restore",
	Usage:     "a site out of its backup, and what died since stays dead",
	ArgsUsage: "[FILE|-]",
	Description: "Makes the site anew in the empty folder --site DIR; or, --into DIR, brings the registry\n" +
		"of the site that is there back, and leaves the rest as it is. Without FILE, --into takes\n" +
		"the registry that lies there for the old one: somebody put it back, pg_restore has.\n\n" +
		"What was revoked or rotated after the backup is known from the newest CRL: give a copy\n" +
		"that was kept elsewhere, --crl. Numbers of releases, of CRLs and of audit rows go on\n" +
		"above all that are known to have been given. Boards that were enrolled since are\n" +
		"unknown: enrol them again.",
	Flags: []cli.Flag{
		&cli.PathFlag{Name: "into", Usage: "bring back the registry of the site in `DIR`"},
		&cli.StringSliceFlag{Name: "crl", Usage: "the newest list of dead certificates is in `FILE` (may be repeated)"},
		&cli.BoolFlag{Name: "as-of-backup", Usage: "no newer list is known: what was stolen since the backup is admitted again"},
		&cli.PathFlag{Name: "identity", Usage: "decrypt by the age identity in `FILE` instead of a passphrase"},
	},
	Action: restoreSite,
}

// A broughtBack is what restore answers.
type broughtBack struct {
	Site string    `json:"site"`
	Time time.Time `json:"time,omitzero"` // of the backup
	registry.Restored
	CRL     uint64        `json:"crl"`  // the newest that was known of
	Kept    string        `json:"kept"` // where the registry lies that was replaced
	Exports []exportBrief `json:"exports"`
	Without []string      `json:"without"`
}

func restoreSite(c *cli.Context) error {
	switch {
	case c.NArg() > 1:
		return wantArgs(c, 1, "a backup")
	case c.Path("into") != "":
		return restoreInto(c, c.Path("into"))
	case c.NArg() == 0:
		return usagef("restore: want a backup FILE, or --into DIR")
	case c.Path("site") == "":
		return usagef("restore: where to? --site DIR, an empty folder")
	}
	return restoreNew(c, c.Path("site"))
}

// restoreNew makes a site out of a backup. Nothing is to be seen of it before it
// is whole, and was proved.
func restoreNew(c *cli.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	draft, err := site.NewDraft(dir)
	if err != nil {
		return err
	}
	defer draft.Abort()
	in, err := openBackup(c)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := in.unpack(draft); err != nil {
		return err
	}
	s, err := restoredSettings(draft.Path(), in.head)
	if err != nil {
		return err
	}
	if _, err := (&session{cli: c, site: s}).trust(); err != nil {
		return err
	}
	r := &restorer{cli: c, ctx: c.Context, site: s, backup: in.head.Registry.Mark, time: in.head.Time}
	done, err := r.bringBack(databaseURL(s))
	if err != nil {
		return err
	}
	if err := draft.Commit(); err != nil { // the moment
		return err
	}
	done.Site, done.Exports, done.Without = dir, emptyNotNull(in.head.Exports), emptyNotNull(in.head.Without)
	return done.report(c)
}

// restoredSettings opens the site that a backup holds, and completes it. Its
// registry lies in it now, wherever it was before.
func restoredSettings(dir string, head backupHead) (*site.Site, error) {
	s, err := site.Open(dir)
	if err != nil {
		return nil, err
	}
	if s.Settings.Name != head.Site {
		return nil, fmt.Errorf("the backup is of site %s, but its settings are of %s", head.Site, s.Settings.Name)
	}
	if head.Database != "" && filepath.IsAbs(strings.TrimPrefix(s.Settings.Database, "sqlite:")) {
		s.Settings.Database = "sqlite:" + head.Database
		if err := site.WriteFile(s.Path(site.SettingsFile), s.Settings.Render(), 0o640); err != nil {
			return nil, err
		}
	}
	if releasesInside(s) {
		if _, err := bundle.Create(releasesDir(s)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return s, nil
}

// restoreInto brings the registry of a site back.
func restoreInto(c *cli.Context, dir string) error {
	s, err := site.Open(dir)
	if err != nil {
		return err
	}
	if err := wantBroken(c, s); err != nil {
		return err
	}
	known, err := readHead(s)
	if err != nil {
		return err
	}
	r := &restorer{cli: c, ctx: c.Context, site: s, here: true, known: known.Mark}
	var done *broughtBack
	if c.NArg() == 0 {
		done, err = r.bringBack(databaseURL(s))
	} else {
		done, err = r.takeFrom()
	}
	if err != nil {
		return err
	}
	if err := mirrorAgain(c, s); err != nil {
		return err
	}
	return done.report(c)
}

// mirrorAgain makes what the RADIUS server reads follow the registry that came
// back, on a site where that is a file of its own.
func mirrorAgain(c *cli.Context, on *site.Site) error {
	if mirrorFile(on) == "" {
		return nil
	}
	s := &session{cli: c, site: on}
	if err := s.open(writing()); err != nil {
		return err
	}
	return errors.Join(s.fleet.SyncRADIUS(c.Context), s.fleet.Close())
}

// wantBroken refuses to go back where nothing is amiss.
func wantBroken(c *cli.Context, on *site.Site) error {
	s := &session{cli: c, site: on}
	var err error
	if s.fleet, err = registry.Open(c.Context, databaseURL(on), registry.Options{ReadOnly: true}); err != nil {
		return nil // what cannot be opened is broken enough
	}
	defer s.fleet.Close()
	if err := s.checkHead(); err != nil {
		return nil
	}
	head, err := s.fleet.VerifyAudit(c.Context)
	if err != nil {
		return nil
	}
	return fmt.Errorf("%s: its registry is whole, at audit row %d: there is nothing to bring back", on.Dir, head.Sequence)
}

// A restorer makes an old registry a site's again.
type restorer struct {
	cli    *cli.Context
	ctx    context.Context
	site   *site.Site
	here   bool          // the site exists: what it holds may be newer than the registry that comes back
	known  registry.Mark // what is here says
	backup registry.Mark // of the registry that comes back
	time   time.Time     // of the backup
}

// takeFrom takes the registry out of a backup, and leaves the rest of it.
func (r *restorer) takeFrom() (*broughtBack, error) {
	in, err := openBackup(r.cli)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	database, inFile := databaseFile(r.site)
	switch {
	case in.head.Site != r.site.Settings.Name:
		return nil, fmt.Errorf("the backup is of site %s, and %s is %s", in.head.Site, r.site.Dir, r.site.Settings.Name)
	case in.head.Database == "" || !inFile:
		return nil, usagef("restore: the registry lies on a server: bring it back there, then restore --into DIR without FILE")
	}
	unlock, err := r.site.Lock("restore")
	if err != nil {
		return nil, err
	}
	defer unlock()
	r.backup, r.time = in.head.Registry.Mark, in.head.Time
	staged := database + ".restored"
	if err := removeDatabase(staged); err != nil { // what a killed run left
		return nil, err
	}
	defer removeDatabase(staged)
	if err := in.extract(in.head.Database, staged); err != nil {
		return nil, err
	}
	done, err := r.bringBack("sqlite:" + staged)
	if err != nil {
		return nil, err
	}
	done.Kept, err = registry.Replace(staged, database) // the moment
	return done, err
}

// bringBack makes the registry at url the site's again: it merges what is known to
// have died, and what numbers were given, and writes down how far the site has come.
func (r *restorer) bringBack(url string) (done *broughtBack, err error) {
	f, err := registry.Open(r.ctx, url, registry.Options{Who: whoami(), Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := r.prove(f); err != nil {
		return nil, err
	}
	later, crl, err := r.later()
	if err != nil {
		return nil, err
	}
	done = &broughtBack{Site: r.site.Dir, Time: r.time, CRL: crl.number, Exports: []exportBrief{}, Without: []string{}}
	if done.Restored, err = r.merge(f, later); err != nil {
		return nil, err
	}
	if err := r.keepCRL(crl); err != nil {
		return nil, err
	}
	head, err := headOf(r.ctx, r.site, f)
	if err != nil {
		return nil, err
	}
	return done, writeHead(r.site, head)
}

// prove walks the trail of the registry; it must be where the backup says. One on
// a server has come another way, and may be anywhere.
func (r *restorer) prove(f *registry.Fleet) error {
	var against []registry.Head
	if inFile(r.site) {
		against = append(against, r.backup.Head)
	}
	if _, err := f.VerifyAudit(r.ctx, against...); err != nil {
		return fmt.Errorf("the registry that is to come back: %w", err)
	}
	if r.backup.Head.Sequence > 0 {
		return nil
	}
	var err error
	r.backup, err = f.Mark(r.ctx)
	return err
}

// merge restores the registry, unless it lies on a server and has come as far as
// anybody knows: then it outlived the site's folder.
func (r *restorer) merge(f *registry.Fleet, later registry.Later) (registry.Restored, error) {
	if !inFile(r.site) && f.Holds(r.ctx, later.Head) == nil {
		return registry.Restored{Revoked: []fleet.MAC{}, Rotated: []fleet.MAC{}, Head: later.Head}, nil
	}
	return f.Restore(r.ctx, later)
}

// A knownCRL is a list of dead certificates with its text.
type knownCRL struct {
	number uint64
	text   []byte
}

// later gathers what is known of the site's life after the backup: from its signed
// documents, from the file beside the database, and from the CRLs that are given.
// A backup's own CRL knows no more than the backup does.
func (r *restorer) later() (later registry.Later, newest knownCRL, err error) {
	later.Mark = r.known
	later.Reach(r.backup)
	later.Reach(releaseWitness(r.ctx, r.site, nil))
	dead := map[fleet.Serial]pki.Revocation{}
	add := func(text []byte, file string, counts bool) error { // counts: as one from after the backup
		lists, err := readCRLs(r.site, text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, l := range lists {
			later.Reach(crlMark(l))
			if counts && l.Number >= newest.number {
				newest = knownCRL{l.Number, text}
			}
			for _, d := range l.Dead {
				if before, known := dead[d.Serial]; !known || !before.Final {
					dead[d.Serial] = d
				}
			}
		}
		return nil
	}
	for _, file := range r.cli.StringSlice("crl") {
		text, err := os.ReadFile(file)
		if err == nil {
			err = add(text, file, true)
		}
		if err != nil {
			return later, newest, err
		}
	}
	if text, err := os.ReadFile(r.site.Path(crlFile)); err == nil {
		if err := add(text, r.site.Path(crlFile), r.here); err != nil {
			say(r.cli, "passed over: %v", err)
		}
	}
	later.Dead = slices.SortedFunc(maps.Values(dead), func(a, b pki.Revocation) int { return bytes.Compare(a.Serial[:], b.Serial[:]) })
	return later, newest, r.newEnough(newest)
}

// A blindError says that nobody knows what died after a backup.
type blindError struct {
	row  uint64
	time time.Time
	crl  uint64 // the newest list there is; zero: none
	had  uint64 // the one that the backup knows
}

func (e *blindError) Error() string {
	when := ""
	if !e.time.IsZero() {
		when = " of " + e.time.UTC().Format(time.DateTime)
	}
	if e.crl > 0 {
		return fmt.Sprintf("the backup%s knows CRL %d, and CRL %d is older: what was revoked or rotated since is not known", when, e.had, e.crl)
	}
	return fmt.Sprintf("the backup%s is at audit row %d: what was revoked or rotated since is not known without a newer CRL", when, e.row)
}

// newEnough refuses to bring a site back blindly.
func (r *restorer) newEnough(newest knownCRL) error {
	if r.cli.Bool("as-of-backup") || newest.number > 0 && newest.number >= r.backup.CRL {
		return nil
	}
	return &blindError{r.backup.Head.Sequence, r.time, newest.number, r.backup.CRL}
}

// keepCRL leaves the newest list in the site, for others.
func (r *restorer) keepCRL(newest knownCRL) error {
	have := crlWitness(r.site)
	if newest.number <= have.CRL {
		return nil
	}
	return site.WriteFile(r.site.Path(crlFile), newest.text, 0o644)
}

func (b *broughtBack) report(c *cli.Context) error {
	return answer(c, b, func(w io.Writer) {
		fmt.Fprintf(w, "site in %s, its registry of %s", b.Site, cmp.Or(dateText(b.Time), "an older copy"))
		fmt.Fprintf(w, "; the audit trail goes on at row %d\n", b.Head.Sequence)
		boards(w, "revoked since, and revoked again", b.Revoked)
		boards(w, "rotated since to credentials that are not known, and without any now: rotate them", b.Rotated)
		if b.Strays > 0 {
			fmt.Fprintf(w, "%d dead certificates of boards that the backup does not know stay on the CRL\n", b.Strays)
		}
		if b.CRL == 0 {
			fmt.Fprintln(w, "what was revoked or rotated since the backup is admitted again: no newer CRL was known")
		}
		if b.Kept != "" {
			fmt.Fprintf(w, "the registry that was there is kept in %s\n", b.Kept)
		}
		for _, what := range b.Without {
			fmt.Fprintf(w, "not in the backup: %s\n", what)
		}
		fmt.Fprintln(w, "to do: enrol again what was enrolled since; tcpboot crl; restart `tcpboot serve`")
		if len(b.Exports) == 0 {
			fmt.Fprintln(w, "to do: tcpboot radius export, and restart the RADIUS server")
		}
		for _, e := range b.Exports {
			fmt.Fprintf(w, "to do: tcpboot radius export --format %s --out %s, and restart its server\n", e.Format, e.Dir)
		}
	})
}

func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

// maxExamples bounds the boards that are named where many may be meant.
const maxExamples = 20

func boards(w io.Writer, what string, macs []fleet.MAC) {
	if len(macs) == 0 {
		return
	}
	fmt.Fprintf(w, "%d boards %s\n", len(macs), what)
	for i, m := range macs {
		if i == maxExamples {
			fmt.Fprintf(w, "  … and %d more\n", len(macs)-i)
			break
		}
		fmt.Fprintf(w, "  %s\n", m)
	}
}

// A backupInput is a backup that is being read.
type backupInput struct {
	*backup.Reader
	file *os.File
	head backupHead
	bar  *progress
}

func (in *backupInput) Close() error { return in.file.Close() }

// openBackup opens FILE, or stdin, up to its files.
func openBackup(c *cli.Context) (in *backupInput, err error) {
	name := c.Args().First()
	in = &backupInput{file: os.Stdin, bar: newProgress(c, "restoring files:")}
	by, err := backupIdentities(c)
	if err != nil {
		return nil, err
	}
	if name != "-" {
		if in.file, err = os.Open(name); err != nil {
			return nil, err
		}
	}
	if in.Reader, err = backup.NewReader(in.file, by...); err == nil {
		err = in.readHead()
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return in, nil
}

func backupIdentities(c *cli.Context) ([]age.Identity, error) {
	if file := c.Path("identity"); file != "" {
		text, err := readSecretFile(file)
		if err != nil {
			return nil, err
		}
		by, err := age.ParseIdentities(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: no identity that age-keygen has made", file)
		}
		return by, nil
	}
	passphrase, err := backupPassphrase(c, "Passphrase of the backup: ")
	if err != nil {
		return nil, err
	}
	by, err := age.NewScryptIdentity(string(passphrase))
	return []age.Identity{by}, err
}

// maxHead bounds backup.json: a site with a thousand exports needs less.
const maxHead = 1 << 20

func (in *backupInput) readHead() error {
	f, err := in.Next()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("no files in it")
	case err != nil:
		return err
	case f.Name != backupHeadFile || f.Size > maxHead:
		return fmt.Errorf("begins with %s, not with %s: no backup of a site", f.Name, backupHeadFile)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &in.head); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if in.head.Format != backupFormat {
		return fmt.Errorf("%s: format %q, and this tcpboot knows %q", f.Name, in.head.Format, backupFormat)
	}
	return nil
}

// unpack writes every file into the draft. They are proved when it returns nil.
func (in *backupInput) unpack(draft *site.Draft) error {
	return in.each(func(f backup.File) error {
		out, err := draft.Create(filepath.FromSlash(f.Name), f.Mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	})
}

// extract writes the one file of that name, and proves the backup as a whole.
func (in *backupInput) extract(name, to string) error {
	out, err := site.NewFile(to, 0o600)
	if err != nil {
		return err
	}
	defer out.Abort()
	found := false
	err = in.each(func(f backup.File) error {
		if f.Name != name {
			return nil
		}
		found = true
		_, err := io.Copy(out, in)
		return err
	})
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%s: no %s in it", in.file.Name(), name)
	}
	return out.Commit()
}

// each goes through the files up to the proof that the backup is whole.
func (in *backupInput) each(do func(backup.File) error) error {
	defer in.bar.done()
	for n := 0; ; n++ {
		in.bar.update(n, max(n, in.head.Files))
		f, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(f)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.file.Name(), err)
		}
	}
}
