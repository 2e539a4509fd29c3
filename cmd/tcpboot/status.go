package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
)

var statusVerb = &cli.Command{
	Name:  "status",
	Usage: "what wants attention: expiry, secrets lying about, revoked boards that knock",
	Description: "Exit status 1 when something wants attention, for cron: what is marked \"!\". What is\n" +
		"marked \"-\" is good to know. Credentials that are old and boards that were not seen are\n" +
		"of that kind, unless --older-than or --stale is given: who asks wants to be told. A\n" +
		"server sees a board when it boots.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "older-than", Usage: "credentials older than `AGE` are old", Value: "720d"},
		&cli.StringFlag{Name: "stale", Usage: "tell of boards that were not seen for `AGE`", Value: "30d"},
		&cli.StringFlag{Name: "backup-age", Usage: "the site is to be backed up every `AGE`", Value: "30d"},
		visitsFlag,
	},
	Action: readingSite(status),
}

// A siteStatus is what status answers.
type siteStatus struct {
	Boards      map[fleet.State]int  `json:"boards"`
	Levels      map[string]int       `json:"levels"`  // active boards by level of their loader
	Expires     map[string]time.Time `json:"expires"` // certificates by their file in certs/
	Credentials credentialStatus     `json:"credentials"`
	CRL         *crlStatus           `json:"crl,omitempty"`  // nil: none was issued
	Seen        *seenStatus          `json:"seen,omitempty"` // nil: no server has written visits
	Backup      time.Time            `json:"backup,omitzero"`
	Findings    []finding            `json:"findings"`
	Attention   []string             `json:"attention"` // the texts of those that want it

	limits limits
	room   int // columns of the terminal; 0: there is none
}

type credentialStatus struct {
	Oldest time.Time `json:"oldest,omitzero"`
	Old    int       `json:"old"` // older than --older-than
	Graces int       `json:"graces"`
}

type crlStatus struct {
	Number uint64    `json:"number"`
	Date   time.Time `json:"date"`
	Lacks  int       `json:"lacks"` // dead serials that are not on it
}

type seenStatus struct {
	Never    int `json:"never"` // active boards, enrolled longer ago than --stale
	Stale    int `json:"stale"` // active boards, last seen longer ago
	Knocking int `json:"knocking"`
}

// A finding is one thing that there is to say, about any number of boards.
type finding struct {
	Kind      string   `json:"kind"`
	Attention bool     `json:"attention"`
	Text      string   `json:"text"`
	Hint      string   `json:"hint,omitempty"`
	Examples  []string `json:"examples,omitempty"`
	More      int      `json:"more,omitempty"` // beyond the examples
}

// examples bounds what a finding names.
const examples = 5

// limits are the times before which things are old.
type limits struct {
	now                      time.Time
	credential, seen, backup time.Time
}

var errAttention = errors.New("something wants attention")

func status(s *session) error {
	l, err := s.limits()
	if err != nil {
		return err
	}
	st := &siteStatus{
		Boards: map[fleet.State]int{}, Levels: map[string]int{}, Expires: map[string]time.Time{},
		Findings: []finding{}, Attention: []string{}, limits: l, room: columns(s.cli.App.Writer),
	}
	for _, look := range []func(*session, *siteStatus) error{
		lookAtBoards, lookAtCertificates, lookAtRecovery, lookAtBackup, lookAtDeliveries, lookAtSightings, lookAtOffers,
		lookAtStatements, lookAtLoaders, lookAtGenerations, lookAtWaiting, lookAtRenewals,
	} {
		if err := look(s, st); err != nil {
			return err
		}
	}
	if err := answer(s.cli, st, st.print); err != nil {
		return err
	}
	if len(st.Attention) > 0 {
		return errAttention
	}
	return nil
}

func (s *session) limits() (l limits, err error) {
	l.now = time.Now()
	for flag, limit := range map[string]*time.Time{"older-than": &l.credential, "stale": &l.seen, "backup-age": &l.backup} {
		age, err := parseAge(s.cli.String(flag))
		if err != nil {
			return l, usageError{fmt.Errorf("--%s: %w", flag, err)}
		}
		*limit = l.now.Add(-age)
	}
	return l, nil
}

// find adds a finding. attend: it wants attention.
func (st *siteStatus) find(attend bool, f finding) {
	f.Attention = attend
	st.Findings = append(st.Findings, f)
	if attend {
		st.Attention = append(st.Attention, f.Text)
	}
}

// A sample counts, and keeps the first few.
type sample struct {
	n     int
	first []string
}

func (s *sample) add(what string) {
	if s.n++; s.n <= examples {
		s.first = append(s.first, what)
	}
}

// about adds what a sample holds to a finding.
func (f finding) about(s sample) finding {
	f.Examples, f.More = s.first, s.n-len(s.first)
	return f
}

func named(macs []fleet.MAC, n int) sample {
	s := sample{n: n}
	for _, m := range macs {
		s.first = append(s.first, m.String())
	}
	return s
}

// lookAtBoards looks at all that the registry counts.
func lookAtBoards(s *session, st *siteStatus) error {
	sum, err := s.fleet.Summary(s.ctx(), st.limits.credential)
	if err != nil {
		return err
	}
	for _, state := range []fleet.State{fleet.Active, fleet.Pending, fleet.Revoked} {
		st.Boards[state] = sum.States[state]
	}
	for level := range 3 {
		st.Levels[fmt.Sprint(level)] = sum.Levels[level]
	}
	st.Credentials = credentialStatus{sum.Oldest, sum.Old, sum.Graces}
	if n := sum.States[fleet.Pending]; n > 0 {
		st.find(true, finding{Kind: "pending", Text: fmt.Sprintf("%d boards are pending: an enrolment was cut off; run it again", n)})
	}
	if sum.Graces > 0 {
		st.find(false, finding{Kind: "graces", Text: fmt.Sprintf("%d boards are in the grace of a rotation: the old credential is good too", sum.Graces)})
	}
	return errors.Join(s.lookAtOld(st, sum), s.lookAtBare(st, sum), s.lookAtCRL(st, sum), s.lookAtExports(st, sum))
}

func (s *session) lookAtOld(st *siteStatus, sum registry.Summary) error {
	if sum.Old == 0 {
		return nil
	}
	macs, err := s.fleet.OldCredentials(s.ctx(), st.limits.credential, examples)
	age := s.cli.String("older-than")
	st.find(s.cli.IsSet("older-than"), finding{
		Kind: "old-credentials", Text: fmt.Sprintf("%d credentials are older than %s", sum.Old, age),
		Hint: "tcpboot rotate --older-than " + age,
	}.about(named(macs, sum.Old)))
	return err
}

func (s *session) lookAtBare(st *siteStatus, sum registry.Summary) error {
	if sum.Bare == 0 {
		return nil
	}
	macs, err := s.fleet.BareBoards(s.ctx(), examples)
	st.find(true, finding{
		Kind: "no-credential", Text: fmt.Sprintf("%d active boards have no credential since the site was restored", sum.Bare), Hint: "tcpboot rotate MAC",
	}.about(named(macs, sum.Bare)))
	return err
}

// lookAtCRL counts what died and is not on the list for others.
func (s *session) lookAtCRL(st *siteStatus, sum registry.Summary) error {
	text, err := os.ReadFile(s.site.Path(crlFile))
	listed := 0
	if err == nil {
		lists, err := readCRLs(s.site, text)
		if err != nil {
			st.find(true, finding{Kind: "crl", Text: crlFile + " is no list of this site: " + err.Error(), Hint: "tcpboot crl"})
			return nil
		}
		st.CRL = &crlStatus{}
		for _, l := range lists {
			listed += len(l.Dead)
			st.CRL.Number, st.CRL.Date = max(st.CRL.Number, l.Number), l.ThisUpdate
		}
		st.CRL.Lacks = max(0, sum.Dead-listed)
	}
	if sum.Dead > listed {
		st.find(true, finding{Kind: "crl", Text: fmt.Sprintf("%s lacks %d dead certificates", crlFile, sum.Dead-listed), Hint: "tcpboot crl"})
	}
	return nil
}

// lookAtExports finds folders that no RADIUS server can read, and those that a
// change of the registry has not reached.
func (s *session) lookAtExports(st *siteStatus, sum registry.Summary) error {
	all, err := s.exports()
	if err != nil {
		return err
	}
	for _, e := range all {
		written := newest(e.Dir)
		again := fmt.Sprintf("tcpboot radius export --format %s --out %s", e.Format, e.Dir)
		switch {
		case written.IsZero():
			st.find(true, finding{Kind: "export-gone", Text: e.Dir + " is gone: a RADIUS server was to read it", Hint: again})
		case formats[e.Format].asks: // no board is in it
		case written.Add(time.Second).Before(sum.Changed): // a disk's clock is a little behind
			st.find(true, finding{Kind: "export-stale", Text: fmt.Sprintf("%s is of %s, and boards changed after it", e.Dir, day(written)), Hint: again})
		}
	}
	return nil
}

// newest is when a file of a folder was written last; zero when there is none.
func newest(dir string) (t time.Time) {
	entries, _ := os.ReadDir(dir) // a folder that cannot be read holds nothing
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().After(t) {
			t = info.ModTime()
		}
	}
	return t
}

// warnBefore is how long before its end a certificate wants attention; that of the
// OCSP responder lives no longer than this for others.
func warnBefore(name string) time.Duration {
	if strings.HasPrefix(name, responderKey.name) {
		return 14 * 24 * time.Hour
	}
	return 90 * 24 * time.Hour
}

// renewHint is the verb that gives a certificate another end.
func renewHint(name string) string {
	switch {
	case strings.HasPrefix(name, responderKey.name):
		return "tcpboot ocsp renew"
	case slices.Contains(certifiedKeys, name):
		return "tcpboot key renew " + name
	}
	return ""
}

func lookAtCertificates(s *session, st *siteStatus) error {
	files, err := filepath.Glob(filepath.Join(globQuote(s.site.Path("certs")), "*.pem"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if filepath.Base(file) == radiusBefore {
			continue // its key was replaced: that it ends is well
		}
		found, err := certificatesIn(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		for _, c := range found {
			if end, known := st.Expires[name]; !known || c.NotAfter.Before(end) {
				st.Expires[name] = c.NotAfter
			}
		}
	}
	for _, name := range byEnd(st.Expires) {
		if end := st.Expires[name]; end.Sub(st.limits.now) < warnBefore(name) {
			st.find(true, finding{Kind: "certificate", Text: fmt.Sprintf("certificate %s ends on %s", name, day(end)), Hint: renewHint(name)})
		}
	}
	return nil
}

// byEnd orders certificates by their ends.
func byEnd(expires map[string]time.Time) []string {
	return slices.SortedFunc(maps.Keys(expires), func(a, b string) int {
		return cmp.Or(expires[a].Compare(expires[b]), cmp.Compare(a, b))
	})
}

func lookAtRecovery(s *session, st *siteStatus) error {
	copied, copyErr := os.ReadFile(s.site.Path(recoveryFile))
	proof, err := os.ReadFile(s.site.Path(recoveryDone))
	if err != nil || copyErr == nil && fleet.Sum(copied).String() != strings.TrimSpace(string(proof)) {
		st.find(true, finding{Kind: "recovery", Text: "the recovery copy is not proved", Hint: "tcpboot key check --recovery"})
	}
	if exists(s.site.Path(recoveryCode)) {
		st.find(true, finding{Kind: "recovery", Text: "the recovery code lies beside the site: move " + recoveryCode + " to a safe place"})
	}
	return nil
}

// lookAtBackup wants a backup as often as --backup-age says, the first one that
// long after the site was made.
func lookAtBackup(s *session, st *siteStatus) error {
	made, last, err := s.fleet.Backups(s.ctx())
	if err != nil {
		return err
	}
	st.Backup = last
	if since := cmp.Or(last, made); since.Before(st.limits.backup) && !since.IsZero() {
		text := "the site was backed up last on " + day(last)
		if last.IsZero() {
			text = "the site was never backed up"
		}
		st.find(true, finding{Kind: "backup", Text: text, Hint: "tcpboot backup FILE"})
	}
	return nil
}

// deliveryAge is how long secrets may wait in boards/ for their boards.
const deliveryAge = 7 * 24 * time.Hour

func lookAtDeliveries(s *session, st *siteStatus) error {
	old, err := s.boards().sampleOlder(st.limits.now.Add(-deliveryAge))
	if old.n > 0 {
		st.find(true, finding{
			Kind: "deliveries", Text: fmt.Sprintf("%d deliveries are older than 7 days: flash them, then purge them", old.n),
			Hint: "tcpboot device purge --all --older-than 7d",
		}.about(old))
	}
	return err
}

// sampleOlder is older for any number of deliveries.
func (o outbox) sampleOlder(than time.Time) (old sample, err error) {
	groups, err := os.ReadDir(o.dir)
	if err != nil {
		return old, ignoreMissing(err)
	}
	for _, g := range groups {
		if !g.IsDir() {
			continue
		}
		boards, err := os.ReadDir(filepath.Join(o.dir, g.Name()))
		if err != nil {
			return old, err
		}
		for _, b := range boards {
			if _, err := fleet.ParseMAC(b.Name()); err != nil {
				continue
			}
			if info, err := b.Info(); err == nil && info.ModTime().Before(than) {
				old.add(b.Name())
			}
		}
	}
	return old, nil
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

func lookAtOffers(s *session, st *siteStatus) error {
	offers, err := s.fleet.Offers(s.ctx())
	if err != nil {
		return err
	}
	l, err := s.readLedger()
	if err != nil {
		return err
	}
	defer l.close()
	stops, err := l.stops(s.ctx())
	for _, o := range release.Held(offers, stops) {
		if !o.Paused {
			continue
		}
		f := finding{
			Kind: "paused", Text: fmt.Sprintf("release %s for %s on %s is paused at %s", o.Version, o.Hardware, o.Channel, release.WaveText(release.WaveOf(o))),
			Hint: fmt.Sprintf("tcpboot release resume --channel %s --hardware %s", o.Channel, o.Hardware),
		}
		if o.Plan.Stopped != "" {
			f.Kind, f.Text = "stopped", fmt.Sprintf("release %s for %s on %s was stopped: %s", o.Version, o.Hardware, o.Channel, o.Plan.Stopped)
		}
		st.find(f.Kind == "stopped", f)
	}
	return err
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// print writes the status for people: a table of what there is, then what there is
// to say of it.
func (st *siteStatus) print(w io.Writer) {
	line := func(what, format string, a ...any) {
		fmt.Fprintln(w, fold(fmt.Sprintf("%-13s ", what)+fmt.Sprintf(format, a...), st.room, 14))
	}
	line("boards", "%d active, %d pending, %d revoked", st.Boards[fleet.Active], st.Boards[fleet.Pending], st.Boards[fleet.Revoked])
	line("loaders", "%d check no signature (level 0), %d refuse unsigned updates (level 1), %d are ours (level 2)", st.Levels["0"], st.Levels["1"], st.Levels["2"])
	line("credentials", "%s", st.credentialText())
	line("certificates", "%s", st.certificateText())
	if st.CRL != nil {
		line("CRL", "number %d of %s", st.CRL.Number, day(st.CRL.Date))
	}
	line("seen", "%s", st.seenText())
	if st.Backup.IsZero() {
		line("backup", "none yet")
	} else {
		line("backup", "on %s", day(st.Backup))
	}
	if len(st.Findings) > 0 {
		fmt.Fprintln(w)
	}
	for _, attend := range []bool{true, false} {
		for _, f := range st.Findings {
			if f.Attention == attend {
				f.print(w, st.room)
			}
		}
	}
}

// print leaves hints whole, however narrow the terminal is: they are to be copied.
func (f finding) print(w io.Writer, room int) {
	mark := map[bool]string{true: "!", false: "-"}[f.Attention]
	fmt.Fprintln(w, fold(mark+" "+printable(f.Text), room, 2))
	for _, e := range f.Examples {
		fmt.Fprintf(w, "    %s\n", printable(e))
	}
	if f.More > 0 {
		fmt.Fprintf(w, "    … and %d more\n", f.More)
	}
	if f.Hint != "" {
		fmt.Fprintf(w, "    → %s\n", printable(f.Hint))
	}
}

func (st *siteStatus) credentialText() string {
	if st.Credentials.Oldest.IsZero() {
		return "none"
	}
	return "the oldest of " + day(st.Credentials.Oldest)
}

// certificateText names the certificates that end in the lives of those who read
// it, the next one first.
func (st *siteStatus) certificateText() string {
	var ends []string
	for _, name := range byEnd(st.Expires) {
		if end := st.Expires[name]; end.Year() < 9999 {
			ends = append(ends, name+" until "+day(end))
		}
	}
	return cmp.Or(strings.Join(ends, ", "), "none that end")
}

func (st *siteStatus) seenText() string {
	switch {
	case st.Seen == nil:
		return "not known: no server has written visits here"
	case st.Seen.Never+st.Seen.Stale == 0:
		return "every active board"
	}
	return fmt.Sprintf("%d active boards never were, %d not lately", st.Seen.Never, st.Seen.Stale)
}
