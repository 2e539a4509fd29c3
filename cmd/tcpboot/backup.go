package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/backup"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/remote"
)

var backupVerb = &cli.Command{
	Name:      "backup",
	Usage:     "the whole site in one encrypted file",
	ArgsUsage: "FILE|-",
	Description: "Holds settings, registry, keys as they are encrypted, certificates, releases, the\n" +
		"secrets of RADIUS clients and the recovery copy without its code; not what `radius\n" +
		"export` and `loader export` write, and not the deliveries in boards/, which are secrets\n" +
		"in the clear. Encrypted (age) under the passphrase of the role backup, or to\n" +
		"recipients. A registry on PostgreSQL is backed up by pg_dump. Others may go on\n" +
		"working, and boards being served, meanwhile.",
	Flags: []cli.Flag{
		&cli.StringSliceFlag{Name: "recipient", Usage: "encrypt to `AGE1…` instead of under a passphrase (may be repeated)"},
		&cli.BoolFlag{Name: "no-releases", Usage: "leave the releases out"},
	},
	Action: withSite(backupSite),
}

// A backupHead is the first file of a backup, backup.json: what the rest is.
type backupHead struct {
	Format   string        `json:"format"`
	Site     string        `json:"site"`
	Time     time.Time     `json:"time"`
	Registry siteHead      `json:"registry"`
	Database string        `json:"database,omitempty"` // the file of the registry; "": it lies on a server
	Files    int           `json:"files"`              // behind this one
	Without  []string      `json:"without,omitempty"`  // what else is not in it
	Exports  []exportBrief `json:"exports,omitempty"`  // what radius export has written
}

// An exportBrief is what brings an export back.
type exportBrief struct {
	Format string `json:"format"`
	Dir    string `json:"dir"` // one inside of the site is relative to it
}

const (
	backupFormat   = "tcpboot-backup/1"
	backupHeadFile = "backup.json"
)

// A backedUp is what backup answers.
type backedUp struct {
	File    string        `json:"file"`
	Files   int           `json:"files"`
	Bytes   int64         `json:"bytes"`
	Digest  fleet.Digest  `json:"digest"`
	Head    registry.Head `json:"head"`
	Without []string      `json:"without"`
}

func backupSite(s *session) (err error) {
	if err := wantArgs(s.cli, 1, "a file, or - for stdout"); err != nil {
		return err
	}
	to, err := backupRecipients(s.cli)
	if err != nil {
		return err
	}
	out, err := newBackupOutput(s.cli)
	if err != nil {
		return err
	}
	defer out.abort()
	unlock, err := s.site.Lock("backup") // two at once would copy to one name
	if err != nil {
		return err
	}
	defer unlock()
	p := &packer{session: s, done: backedUp{File: s.cli.Args().First(), Without: []string{}}}
	defer p.clear()
	if err := p.gather(); err != nil {
		return err
	}
	if err := p.write(out, to); err != nil {
		return err
	}
	if err := out.commit(); err != nil { // now there is a backup
		return err
	}
	copy(p.done.Digest[:], out.sum.Sum(nil))
	p.done.Bytes = out.bytes
	if err := s.fleet.Record(s.ctx(), "site.backup", s.site.Settings.Name, jsonText(map[string]any{
		"digest": p.done.Digest, "row": p.done.Head.Sequence,
	})); err != nil {
		return err
	}
	return p.report(out)
}

func (p *packer) report(out *backupOutput) error {
	text := func(w io.Writer) {
		fmt.Fprintf(w, "backup of site %s at audit row %d: %d files, %d bytes in %s\n",
			p.site.Settings.Name, p.done.Head.Sequence, p.done.Files, p.done.Bytes, p.done.File)
		for _, what := range p.done.Without {
			fmt.Fprintf(w, "not in it: %s\n", what)
		}
	}
	if out.file == nil { // stdout is the backup
		var talk bytes.Buffer
		text(&talk)
		say(p.cli, "%s", strings.TrimSuffix(talk.String(), "\n"))
		return nil
	}
	return answer(p.cli, p.done, text)
}

// backupRecipients are who can read the backup: whoever has the passphrase, or
// those of --recipient.
func backupRecipients(c *cli.Context) ([]age.Recipient, error) {
	if names := c.StringSlice("recipient"); len(names) > 0 {
		to, err := age.ParseRecipients(strings.NewReader(strings.Join(names, "\n")))
		if err != nil {
			return nil, usagef("--recipient: want age1… as age-keygen prints it")
		}
		return to, nil
	}
	passphrase, err := backupPassphrase(c, "New passphrase for the backup: ", "Once more: ")
	if err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(string(passphrase))
	return []age.Recipient{to}, err
}

// backupPassphrase is that of the role backup in the passphrase file, or what a
// person answers to each of the prompts alike.
func backupPassphrase(c *cli.Context, prompts ...string) ([]byte, error) {
	if file := passphraseFile(c); file != "" {
		passphrases, err := readPassphrases(file)
		if err != nil {
			return nil, err
		}
		return passphrases(custody.Backup)
	}
	if !isTerminal(os.Stdin) {
		return nil, usagef("%s: want --passphrase-file FILE, or a terminal to ask on", verbName(c))
	}
	var said []byte
	for i, prompt := range prompts {
		p, err := promptSecret(c.Context, prompt)
		switch {
		case err != nil:
			return nil, err
		case len(p) == 0 || i > 0 && !bytes.Equal(p, said):
			return nil, errors.New("the passphrases differ, or are empty")
		}
		said = p
	}
	return said, nil
}

// A backupOutput is where the backup goes: to a file that is put in its place when
// it is whole, or to stdout.
type backupOutput struct {
	file  *site.File // nil: stdout
	to    io.Writer
	sum   hash.Hash
	bytes int64
}

func newBackupOutput(c *cli.Context) (o *backupOutput, err error) {
	o = &backupOutput{to: c.App.Writer, sum: sha256.New()}
	name := c.Args().First()
	switch {
	case name != "-":
		if o.file, err = site.NewFile(name, 0o600); err != nil {
			return nil, err
		}
		o.to = o.file
	case isTerminal(c.App.Writer):
		return nil, usagef("backup: a backup is nothing for a terminal: give a FILE, or send stdout to one")
	case c.Bool("json"):
		return nil, usagef("backup: --json has no room beside a backup on stdout")
	}
	return o, nil
}

func (o *backupOutput) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	o.sum.Write(p[:n])
	o.bytes += int64(n)
	return n, err
}

func (o *backupOutput) commit() error {
	if o.file == nil {
		return nil
	}
	return o.file.Commit()
}

func (o *backupOutput) abort() {
	if o.file != nil {
		o.file.Abort()
	}
}

// A packer puts a site into a backup.
type packer struct {
	*session
	head  backupHead
	items []item
	temp  []string // copies of databases, removed in the end
	done  backedUp
}

// An item is one file to be backed up.
type item struct {
	name, path string
	text       []byte // what was read of it already; nil: to be read
}

// gather copies the databases as they are at one moment, then lists the files. What
// is published in the registry was stored in the releases before, and so is in
// a backup that reads them after.
func (p *packer) gather() error {
	p.head = backupHead{Format: backupFormat, Site: p.site.Settings.Name, Time: time.Now().UTC()}
	for _, step := range []func() error{p.copyRegistry, p.copyVisits, p.listFiles, p.listReleases, p.listExports} {
		if err := step(); err != nil {
			return err
		}
	}
	p.head.Without, p.head.Files = p.done.Without, len(p.items)
	return nil
}

func (p *packer) clear() {
	for _, path := range p.temp {
		removeDatabase(path)
	}
}

// copyOf names a file for the copy of a database, beside it.
func (p *packer) copyOf(database string) (string, error) {
	path := filepath.Join(filepath.Dir(database), "."+filepath.Base(database)+".backup")
	p.temp = append(p.temp, path)
	return path, removeDatabase(path) // what a killed run left
}

func (p *packer) copyRegistry() error {
	ctx := p.ctx()
	database, inFile := databaseFile(p.site)
	if !inFile {
		p.without("the registry: back the database up with pg_dump")
		return p.noteHead(ctx, p.fleet)
	}
	path, err := p.copyOf(database)
	if err == nil {
		err = p.fleet.CopyTo(ctx, path)
	}
	if err != nil {
		return err
	}
	f, err := registry.Open(ctx, "sqlite:"+path, registry.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	p.head.Database = backedDatabase(p.site)
	p.items = append(p.items, item{name: p.head.Database, path: path})
	return errors.Join(p.noteHead(ctx, f), f.Close())
}

// noteHead notes how far the registry in the backup has come.
func (p *packer) noteHead(ctx context.Context, f *registry.Fleet) (err error) {
	p.head.Registry, err = headOf(ctx, p.site, f)
	p.head.Registry.Behind = nil // a copy of a file is another file
	p.done.Head = p.head.Registry.Head
	return err
}

// inFile reports whether the registry is a file, and not on a server.
func inFile(s *site.Site) bool {
	_, file := databaseFile(s)
	return file
}

// backedDatabase names the registry in a backup: by its place in the site, or by
// the usual one, where it lies elsewhere.
func backedDatabase(s *site.Site) string {
	if name := strings.TrimPrefix(s.Settings.Database, "sqlite:"); filepath.IsLocal(name) {
		return filepath.ToSlash(filepath.Clean(name))
	}
	return strings.TrimPrefix(site.Defaults().Database, "sqlite:")
}

const visitsFile = "visits.db"

func (p *packer) copyVisits() error {
	from := p.site.Path(visitsFile)
	if !exists(from) {
		return nil
	}
	v, err := registry.OpenVisits(p.ctx(), from)
	if err != nil {
		return err
	}
	path, err := p.copyOf(from)
	if err == nil {
		err = v.CopyTo(p.ctx(), path)
	}
	p.items = append(p.items, item{name: visitsFile, path: path})
	return errors.Join(err, v.Close())
}

// backedUpFiles are a site's own files beside its databases and releases. The code
// of the recovery copy is not among them: it would be the key beside the lock.
var backedUpFiles = []string{site.SettingsFile, ".gitignore", recoveryFile, recoveryDone, exportsFile, "certs", "keys", "sitedocs", "templates", layersDir, cutsDir}

func (p *packer) listFiles() error {
	for _, name := range backedUpFiles {
		if err := p.list(name, p.site.Path(name)); err != nil {
			return err
		}
	}
	for _, k := range slices.Concat(siteKeys, p.otherRoots()) {
		uri := p.keys.uri(k.name)
		if custody.Store(uri) != "" {
			p.without(fmt.Sprintf("key %s: it lies in a key store", k.name))
		} else if !p.lists(strings.TrimPrefix(uri, "file:")) {
			p.without(fmt.Sprintf("key %s: it is not in keys/", k.name))
		}
	}
	for _, c := range p.site.Settings.RADIUS.Clients {
		if !p.lists(c.SecretFile) {
			p.without(fmt.Sprintf("the secret of RADIUS client %s: it is not in keys/", c.Name))
		}
	}
	if entries, err := os.ReadDir(p.site.Path("boards")); err == nil && len(entries) > 0 {
		p.without("the deliveries in boards/: they are secrets in the clear; `tcpboot rotate` makes new ones")
	}
	return nil
}

func (p *packer) without(what string) { p.done.Without = append(p.done.Without, what) }

func (p *packer) lists(name string) bool {
	return slices.ContainsFunc(p.items, func(i item) bool { return i.name == filepath.ToSlash(filepath.Clean(name)) })
}

// list adds a file, or what is in a folder, in the order of names, without what
// begins with a dot: that is being written, or a lock.
func (p *packer) list(name, from string) error {
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && file != from
		switch {
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.IsDir() || hidden:
			return nil
		}
		name := filepath.ToSlash(name + strings.TrimPrefix(file, from))
		if !isThere(file) {
			p.without(name + ": it is away")
			return nil
		}
		p.items = append(p.items, item{name: name, path: file})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// isThere reports whether path, or what a link there leads to, exists.
func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// listReleases adds the releases of a folder in the site. The index is read before
// the blobs are listed: what others store meanwhile is not in it, and does no harm.
func (p *packer) listReleases() error {
	dir := p.site.Settings.Releases
	switch {
	case p.cli.Bool("no-releases"):
		p.without("the releases: left out by --no-releases")
		return nil
	case !releasesInside(p.site):
		p.without("the releases: they lie elsewhere, in " + dir)
		return nil
	}
	index := filepath.Join(releasesDir(p.site), "index.json")
	text, err := os.ReadFile(index)
	if err != nil {
		return err
	}
	if err := p.list(filepath.Clean(dir), releasesDir(p.site)); err != nil {
		return err
	}
	for i := range p.items {
		if p.items[i].path == index {
			p.items[i].text = text
		}
	}
	return nil
}

// releasesInside reports whether a folder in the site keeps the releases.
func releasesInside(s *site.Site) bool {
	return filepath.IsLocal(s.Settings.Releases) && !strings.HasPrefix(s.Settings.Releases, remote.Scheme)
}

func (p *packer) listExports() error {
	all, err := p.exports()
	for _, e := range all {
		if rel, err := filepath.Rel(p.site.Dir, e.Dir); err == nil && filepath.IsLocal(rel) {
			e.Dir = rel
		}
		p.head.Exports = append(p.head.Exports, exportBrief{e.Format, e.Dir})
	}
	return err
}

// write writes the backup.
func (p *packer) write(out io.Writer, to []age.Recipient) error {
	w, err := backup.NewWriter(out, to...)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(p.head, "", "  ")
	if err != nil {
		return err
	}
	if err := w.Add(backup.File{Name: backupHeadFile, Mode: 0o600, Size: int64(len(text))}, bytes.NewReader(text)); err != nil {
		return err
	}
	bar := newProgress(p.cli, "backing up files:")
	defer bar.done()
	for i, it := range p.items {
		if err := p.ctx().Err(); err != nil {
			return err
		}
		if err := p.add(w, it); err != nil {
			return err
		}
		bar.update(i+1, len(p.items))
	}
	return w.Close()
}

// add adds a file. One that is a link to another place is added as what is there.
func (p *packer) add(w *backup.Writer, it item) error {
	f, err := os.Open(it.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: mode %v: not a regular file", it.path, info.Mode())
	}
	p.done.Files++
	file := backup.File{Name: it.name, Mode: info.Mode().Perm() &^ 0o022, Size: info.Size()}
	if it.text == nil {
		return w.Add(file, f)
	}
	file.Size = int64(len(it.text))
	return w.Add(file, bytes.NewReader(it.text))
}
