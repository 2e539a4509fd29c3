package main

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var (
	keyURIFlag = &cli.StringFlag{Name: "key", Usage: "the new key is to be at `URI`: a file, or an object of a key store, pkcs11:…, which is made unless it is there"}
	withFlag   = &cli.StringSliceFlag{Name: "with", Usage: "the key `NAME=URI` is there for this once: boards-root=file:///media/stick/boards-root.pem (may be repeated)"}

	recoveryFlags = []cli.Flag{
		&cli.PathFlag{Name: "copy", Usage: "the recovery copy is `FILE` (default: recovery.pem of the site)"},
		&cli.PathFlag{Name: "code-file", Usage: "read its code from `FILE` instead of the terminal"},
	}
	noRecoveryFlag = &cli.BoolFlag{Name: "no-recovery", Usage: "leave the new key out of the recovery copy, until tcpboot key copy puts it in"}
)

var keyRotateVerb = &cli.Command{
	Name:      "rotate",
	Usage:     "a new key, with what says that it is one; no board is touched",
	ArgsUsage: "boards-ca|radius-ca|radius|servers-ca|server|release|release-root|app-rsa3072|app-p256|app-p384",
	Description: "A CA is certified by its root, whose key must be there for it (--with). The boards\n" +
		"CA from before stays in the RADIUS export, and its key with the site, until the\n" +
		"last of its certificates is dead: rotate the boards when it suits. The server below\n" +
		"a new RADIUS or servers CA gets a certificate by it.\n" +
		"A new release key is named by the next site document, beside the one before until\n" +
		"`key retire release`. A release root signs the document that replaces it, and so does\n" +
		"the one that takes its place.\n" +
		"A loader trusts the app key that signed it, for ever: a new app key takes loaders that\n" +
		"it signs (--loader), which come to lie in loaders/. Until the last board has one, what\n" +
		"is cut has a variant for the boards with older loaders, by the key from before.\n" +
		"The new key is added to the recovery copy, which takes the copy's code.",
	BashComplete: completeWords(append(slices.Clone(certifiedKeys), "release", "release-root", "app-rsa3072", "app-p256", "app-p384")...),
	Flags: append([]cli.Flag{keyURIFlag, withFlag, noRecoveryFlag, toSignFlag,
		noOverlapFlag, loaderImageFlag, publicFlag, thresholdFlag, reasonFlag}, recoveryFlags...),
	Action: withSite(keyRotate),
}

var keyRenewVerb = &cli.Command{
	Name:      "renew",
	Usage:     "a new certificate for the key that a CA or a server has",
	ArgsUsage: "boards-ca|radius-ca|radius|servers-ca|server",
	Description: "Before the old one ends: status says when. A CA is certified by its root, whose key\n" +
		"must be there for it (--with); the server below it gets a new certificate too.\n" +
		"Whatever was issued before stays as good as it was.",
	BashComplete: completeWords(certifiedKeys...),
	Flags:        []cli.Flag{withFlag},
	Action:       withSite(func(s *session) error { return changeCertified(s, false) }),
}

// certifiedKeys are those that a certificate of the site is about and no board
// holds on to.
var certifiedKeys = []string{"boards-ca", "radius-ca", "radius", "servers-ca", "server"}

// A certified key is that of a CA, or of the server below it.
type certified struct {
	siteKey
	hierarchy pki.Hierarchy
	isCA      bool
}

func certifiedNamed(verb, name string) (certified, error) {
	k, known := siteKeyNamed(name)
	switch {
	case !known:
		return certified{}, usagef("%s: no key is called %q (`tcpboot key list` shows them)", verb, name)
	case name == "boards-ca" || name == "radius-ca" || name == "servers-ca":
		return certified{k, pki.Hierarchy(strings.TrimSuffix(name, "-ca")), true}, nil
	case name == "radius":
		return certified{k, pki.RADIUS, false}, nil
	case name == "server":
		return certified{k, pki.Servers, false}, nil
	case name == responderKey.name:
		return certified{}, errResponderKey
	case formerName.MatchString(name):
		return certified{}, fmt.Errorf("%s: %s is of a boards CA that was replaced: it issues nothing any more", verb, name)
	case strings.HasSuffix(name, "-root") && k.role != custody.ReleaseRoot:
		return certified{}, fmt.Errorf("%s: %s is an anchor that others hold; it is for the life of the site", verb, name)
	}
	return certified{}, fmt.Errorf("%s: %s is no key of a CA or a server: no certificate is about it", verb, name)
}

// servers are the keys of the servers below a CA.
var servers = map[pki.Hierarchy]string{pki.RADIUS: "radius", pki.Servers: "server"}

// keyRotate leaves each kind of key to who knows what hangs on it.
func keyRotate(s *session) error {
	if err := wantArgs(s.cli, 1, "the name of a key"); err != nil {
		return err
	}
	name := s.cli.Args().First()
	if err := s.refuseStray(name); err != nil {
		return err
	}
	if err := refuseUnfollowed(name); err != nil {
		return err
	}
	if p, plan := s.rotation(name); plan != nil {
		return p.run(plan)
	}
	return changeCertified(s, true)
}

// refuseStray refuses flags that mean nothing for the key of that name.
func (s *session) refuseStray(name string) error {
	k, _ := siteKeyNamed(name)
	for flag, roles := range map[string][]custody.Role{
		"no-overlap": {custody.Release},
		"loader":     {custody.App},
		"public":     {custody.ReleaseRoot},
		"threshold":  {custody.ReleaseRoot},
		"to-sign":    {custody.RADIUS, custody.Servers, custody.Release, custody.ReleaseRoot},
		"reason":     {custody.Release, custody.ReleaseRoot, custody.App},
	} {
		if s.cli.IsSet(flag) && !slices.Contains(roles, k.role) {
			return usagef("%s: --%s says nothing about %s", verbName(s.cli), flag, name)
		}
	}
	return nil
}

// refuseUnfollowed refuses app keys whose former ones would have no name: nothing would
// be signed any more for what trusts them.
func refuseUnfollowed(name string) error {
	k, known := siteKeyNamed(name)
	if !known || k.role != custody.App || formerApp.MatchString(name) || slices.ContainsFunc(siteKeys, func(k siteKey) bool { return k.name == name }) {
		return nil
	}
	return fmt.Errorf("key rotate: %s: nothing would be signed any more for what trusts it: of the app keys only app-rsa3072, app-p256 and app-p384 go on beside a successor", name)
}

// rotation is the change by which a key that has no certificate gets a successor; plan
// is nil for other names.
func (s *session) rotation(name string) (p *keyPlan, plan func() error) {
	k, known := siteKeyNamed(name)
	p = newKeyPlan(s, certified{siteKey: k}, "key.rotate")
	switch {
	case known && k.role == custody.Release:
		return p, p.planRelease
	case known && k.role == custody.ReleaseRoot:
		return p, p.planRoot
	case known && k.role == custody.App && !formerApp.MatchString(name):
		return p, p.planApp
	}
	return p, nil
}

func changeCertified(s *session, newKey bool) error {
	if err := wantArgs(s.cli, 1, "the name of a key"); err != nil {
		return err
	}
	k, err := certifiedNamed(verbName(s.cli), s.cli.Args().First())
	if err != nil {
		return err
	}
	p := newKeyPlan(s, k, "key.renew")
	if newKey {
		p.change.Action = "key.rotate"
	}
	return p.run(func() error { return p.plan(newKey) })
}

// A keyPlan makes the new key and certificates of a change in memory, and then
// carries it out.
type keyPlan struct {
	*session
	certified
	change  keyChange
	opened  map[string]crypto.Signer // keys by their names after the change
	resumed bool                     // an earlier run was cut off
}

func newKeyPlan(s *session, k certified, action string) *keyPlan {
	return &keyPlan{session: s, certified: k, change: keyChange{Action: action, Key: k.name, Keys: map[string]string{}}}
}

// A changeDetail is what the audit trail says of a change of keys.
type changeDetail struct {
	Public      fleet.Digest `json:"public,omitzero"` // the key
	Certificate fleet.Digest `json:"certificate,omitzero"`
	Ends        time.Time    `json:"ends,omitzero"`
	CA          int          `json:"ca,omitempty"`    // its number
	Epoch       uint64       `json:"epoch,omitempty"` // of the site document that names it

	Before []string `json:"before,omitempty"` // release keys that stay beside a new one
	Ended  []string `json:"ended,omitempty"`  // release keys that count no more
	Reason string   `json:"reason,omitempty"`

	Former  string   `json:"former,omitempty"`  // what an app key is called from now on
	Loaders []string `json:"loaders,omitempty"` // hardware whose loader was signed with a new one

	Generation uint32                   `json:"generation,omitempty"` // of counters that it begins
	Floors     map[string]fleet.Counter `json:"floors,omitempty"`
}

// run makes the plan and carries it out, while nobody else changes keys; or it ends
// what was begun.
func (p *keyPlan) run(plan func() error) error {
	unlock, err := p.lockKeys()
	if err != nil {
		return err
	}
	defer unlock()
	if p.takeUp() {
		return p.follow()
	}
	if err := p.keys.borrow(p.cli.StringSlice("with")); err != nil {
		return err
	}
	if exists(p.site.Path(waitingFile)) {
		return errWaiting
	}
	if err := plan(); err != nil {
		return err
	}
	if p.change.Document != nil {
		return p.wait()
	}
	return p.carryOut()
}

// takeUp reports whether an earlier run was to make this very change, and was cut
// off after its moment: then it is made, and only what follows is left to do.
func (p *keyPlan) takeUp() bool {
	f := p.finished
	if f == nil || f.Action != p.change.Action || f.Key != p.name {
		return false
	}
	p.change, p.resumed = *f, true
	return true
}

// plan refuses what cannot be before it makes anything.
func (p *keyPlan) plan(newKey bool) error {
	if newKey {
		if err := p.refuseRotation(); err != nil {
			return err
		}
	}
	if p.isCA {
		return p.planCA(newKey)
	}
	return p.planServer(newKey)
}

func (p *keyPlan) refuseRotation() error {
	if _, err := p.placeOf(p.siteKey); err != nil {
		return err
	}
	if !p.isCA || p.hierarchy == pki.Boards {
		return nil
	}
	n := 0
	for d, err := range p.fleet.Devices(p.ctx(), registry.Filter{States: []fleet.State{fleet.Active}}) {
		if err != nil {
			return err
		}
		if d.Loader.Level >= 2 {
			n++
		}
	}
	if n > 0 {
		return &issuerError{p.name, n}
	}
	return nil
}

// An issuerError says that boards know a CA by its key: those of level 2 take a
// server for theirs only if the site document that they hold names its issuer, and
// a board that has not called since the document changed could call no more.
type issuerError struct {
	name   string
	boards int
}

func (e *issuerError) Error() string {
	return fmt.Sprintf("%s: %d active boards have a loader of level 2, which knows this CA by its key: a new one would lock them out", e.name, e.boards)
}

// planCA certifies the CA's key by the root, and the server's by the CA.
func (p *keyPlan) planCA(newKey bool) error {
	before, err := p.authority(p.hierarchy, false)
	if err != nil {
		return err
	}
	root, err := p.keys.open(string(p.hierarchy) + "-root")
	if err != nil {
		return err
	}
	if newKey && p.hierarchy != pki.Boards { // for the site document
		if err := p.rootsAtHand(); err != nil {
			return err
		}
	}
	var key crypto.Signer
	if newKey {
		key, err = p.makeKey(p.siteKey)
	} else {
		key, err = p.keys.open(p.name)
	}
	if err != nil {
		return err
	}
	next, err := before.Succeed(root, key)
	if err != nil {
		return err
	}
	if p.hierarchy == pki.Boards && next.Number() != before.Number() {
		if err := p.keepFormer(before); err != nil {
			return err
		}
	}
	p.certificate(p.name, next.CA)
	detail := detailOf(next.CA)
	detail.CA = next.Number()
	if p.hierarchy != pki.Boards { // which have no server below their CA
		name := servers[p.hierarchy]
		public, err := p.public(name)
		if err != nil {
			return err
		}
		if _, err := p.certify(next, name, public); err != nil {
			return err
		}
		if detail.Epoch, err = p.nameIssuer(before, next); err != nil {
			return err
		}
	}
	return p.describe(detail)
}

// planServer has the CA certify the server's key.
func (p *keyPlan) planServer(newKey bool) error {
	ca, err := p.authority(p.hierarchy, true)
	if err != nil {
		return err
	}
	public, err := p.public(p.name)
	if err != nil {
		return err
	}
	if newKey {
		key, err := p.makeKey(p.siteKey)
		if err != nil {
			return err
		}
		public = key.Public()
	}
	if newKey && p.hierarchy == pki.RADIUS {
		chain, err := p.certificates("radius.pem", "radius-ca.pem")
		if err != nil {
			return err
		}
		p.file("certs/"+radiusBefore, chain, 0o644)
	}
	c, err := p.certify(ca, p.name, public)
	if err != nil {
		return err
	}
	return p.describe(detailOf(c))
}

// certify gives the server below a CA a certificate.
func (p *keyPlan) certify(ca *pki.Authority, name string, public crypto.PublicKey) (*x509.Certificate, error) {
	c, err := ca.IssueServer(p.serverName(), public, time.Now())
	if err != nil {
		return nil, err
	}
	p.certificate(name, c)
	return c, nil
}

// serverName is what boards know the server of this hierarchy by.
func (p *keyPlan) serverName() string {
	if p.hierarchy == pki.RADIUS {
		return pki.RADIUSName(p.site.Settings.Name)
	}
	return pki.UpdateName(p.site.Settings.Name)
}

// keepFormer gives the boards CA from before, and its key, the name by which it
// goes on to sign the list of what it issued. A key that is lost is none.
func (p *keyPlan) keepFormer(before *pki.Authority) error {
	former := formerCA(before.Number())
	p.certificate(former, before.CA)
	if uri, elsewhere := p.site.Settings.Keys[p.name]; elsewhere {
		p.change.Keys[former] = uri
		return nil
	}
	if !p.keys.here(p.keys.uri(p.name)) {
		say(p.cli, "the key of %s is away: its list of dead certificates ends here, unless it comes back as keys/%s.pem", p.name, former)
		return nil
	}
	path, err := p.keys.store.File(p.keys.uri(p.name))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	p.file("keys/"+former+".pem", text, 0o600)
	return nil
}

// nameIssuer signs the site document that names the new CA beside the one before,
// for servers that still bear a certificate of that. The one before that is named
// no more. A CA with the key that it had is named already.
func (p *keyPlan) nameIssuer(before, next *pki.Authority) (epoch uint64, err error) {
	was, is := pki.IssuerOf(before.CA), pki.IssuerOf(next.CA)
	if was == is {
		return 0, nil
	}
	return p.document(func(doc *sitedoc.Doc) error {
		issuers := &doc.TLSIssuers
		if p.hierarchy == pki.RADIUS {
			issuers = &doc.EAPIssuers
		}
		*issuers = []fleet.Digest{was, is}
		return nil
	})
}

func (p *keyPlan) file(path string, data []byte, perm os.FileMode) {
	p.change.Files = append(p.change.Files, changedFile{path, perm, data})
}

func (p *keyPlan) certificate(name string, c *x509.Certificate) {
	p.file("certs/"+name+".pem", pki.CertificatePEM(c), 0o644)
}

func detailOf(c *x509.Certificate) changeDetail {
	return changeDetail{Public: pki.IssuerOf(c), Certificate: fleet.Sum(c.Raw), Ends: c.NotAfter}
}

func (p *keyPlan) describe(d changeDetail) error {
	text, err := json.Marshal(d)
	p.change.Detail = string(text)
	return err
}

func (p *keyPlan) carryOut() error {
	if err := p.begin(&p.change); err != nil {
		return err
	}
	if err := p.decide(&p.change); err != nil { // the moment
		if decided, unknown := p.decided(&p.change); unknown != nil || decided {
			return err // the next verb looks again
		}
		return errors.Join(err, p.end())
	}
	if err := p.apply(&p.change); err != nil {
		return err
	}
	maps.Copy(p.keys.opened, p.opened)
	return p.follow()
}

// documentText says what the site document of a change does.
func (p *keyPlan) documentText(d changeDetail) string {
	switch {
	case p.change.Action == resetAction:
		return "says so"
	case p.role == custody.ReleaseRoot:
		return "is signed by the roots before and by those that it names"
	case p.role != custody.Release:
		return "names the new CA beside the one before"
	case len(d.Before) > 0:
		return "names it beside " + strings.Join(d.Before, ", ")
	case p.change.Action == "key.rotate" && len(d.Ended) > 1:
		return "names it alone: " + strings.Join(d.Ended, ", ") + " count no more"
	case p.change.Action == "key.rotate":
		return "names it alone: " + strings.Join(d.Ended, ", ") + " counts no more"
	case len(d.Ended) > 1:
		return "names the present key and no longer these"
	}
	return "names the present key and no longer this"
}

// A changedKey is the answer.
type changedKey struct {
	Key string `json:"key"`
	changeDetail
	Finished bool     `json:"finished"` // an earlier run that was cut off
	Restart  []string `json:"restart"`  // exports whose server goes by the old certificates until it is restarted
}

// follow renders what follows from the change, and says what is left to do.
func (p *keyPlan) follow() (err error) {
	out := changedKey{Key: p.name, Finished: p.resumed, Restart: []string{}}
	if err := json.Unmarshal([]byte(p.change.Detail), &out.changeDetail); err != nil {
		return err
	}
	if out.Restart, err = p.renderChange(); err != nil {
		return err
	}
	if !p.resumed {
		if err := p.end(); err != nil {
			return err
		}
	}
	return answer(p.cli, out, func(w io.Writer) { p.text(w, out) })
}

func (p *keyPlan) text(w io.Writer, out changedKey) {
	are := "is"
	if len(out.Ended) > 1 {
		are = "are"
	}
	what := map[string]string{"key.rotate": "has a new key", "key.renew": "has a new certificate", "key.create": "is made",
		"key.retire": are + " retired", "key.revoke": are + " revoked"}[p.change.Action]
	if p.change.Action == "key.rotate" && out.Certificate != (fleet.Digest{}) {
		what += " and certificate"
	}
	name := p.name
	switch {
	case p.change.Action == resetAction:
		name, what = "", out.resetText()
	case p.change.Action != "key.rotate" && len(out.Ended) > 0:
		name += " " + strings.Join(out.Ended, ", ")
	}
	if out.Finished {
		what += ", from a run that was cut off"
	}
	fmt.Fprint(w, strings.TrimSpace(name+" "+what))
	if !out.Ends.IsZero() {
		fmt.Fprintf(w, ", until %s", out.Ends.UTC().Format(time.DateOnly))
	}
	fmt.Fprintln(w)
	if out.Epoch > 0 {
		fmt.Fprintf(w, "site document %d %s\n", out.Epoch, p.documentText(out.changeDetail))
	}
	for _, h := range out.Loaders {
		fmt.Fprintf(w, "loader for %s that trusts it: loaders/%s.bin; then `tcpboot device set MAC --loader-key %s`\n", h, h, p.name)
	}
	if out.Former != "" {
		fmt.Fprintf(w, "the key before goes on as %s, for boards with older loaders\n", out.Former)
	}
	for _, dir := range out.Restart {
		fmt.Fprintf(w, "restart the RADIUS server on %s: a reload is not enough for it to see this\n", dir)
	}
}
