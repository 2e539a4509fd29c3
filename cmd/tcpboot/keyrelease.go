package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A release key counts as long as the site document names it. A rotation names the
// new one beside the old, so that what is offered goes on counting until it was
// stated again; what was signed by a key that is named no more counts for nobody.

var (
	noOverlapFlag = &cli.BoolFlag{Name: "no-overlap", Usage: "of release: the key before counts no more, and what it signed is not served any more"}
	reasonFlag    = &cli.StringFlag{Name: "reason", Usage: "`WHY`, for the audit trail: stolen"}
)

var keyRetireVerb = &cli.Command{
	Name:      "retire",
	Usage:     "end the time in which the keys before count beside the present one",
	ArgsUsage: "release|release-root-2|release-root-3",
	Description: "After `key rotate release`, and `release restate`: the next site document names the\n" +
		"present key alone. Refused while something that boards get is stated by another key.\n" +
		"A release root beside the first is taken out of the set of roots.",
	BashComplete: completeWords("release", "release-root-2", "release-root-3"),
	Flags:        []cli.Flag{thresholdFlag, reasonFlag, withFlag, toSignFlag},
	Action:       withSite(keyRetire),
}

func keyRetire(s *session) error {
	name := s.cli.Args().First()
	if name == rootName(1) {
		return errFirstRoot
	}
	if !otherRoot.MatchString(name) || s.cli.NArg() > 1 {
		return endReleaseKeys(s, "key.retire")
	}
	p := newKeyPlan(s, certified{siteKey: rootKey(name)}, "key.retire")
	return p.run(p.planRetireRoot)
}

var keyRevokeVerb = &cli.Command{
	Name:      "revoke",
	Usage:     "let a release key count no more, at once",
	ArgsUsage: "release [KEY-ID]",
	Description: "For a stolen key that was rotated away: what it signed is refused from then on, by\n" +
		"every verb, by servers, and by boards that hold the next site document. KEY-ID is the\n" +
		"beginning of what `key list` shows of it; without one it is all but the present key.",
	BashComplete: completeWords("release"),
	Flags:        []cli.Flag{reasonFlag, withFlag, toSignFlag},
	Action:       withSite(func(s *session) error { return endReleaseKeys(s, "key.revoke") }),
}

// presentRelease is the release key that signs now.
func (s *session) presentRelease(doc *sitedoc.Doc) (cose.Key, error) {
	public, err := s.public("release")
	if errors.Is(err, os.ErrNotExist) && len(releaseIDs(doc.Keys)) == 1 { // it was never rotated
		return doc.Keys[0].Key, nil
	}
	if err != nil {
		return cose.Key{}, err
	}
	return cose.KeyOf(public)
}

// releaseSigner opens the key that signs manifests. One that the site document does
// not name signs nothing that counts.
func (s *session) releaseSigner() (key sign.Release, err error) {
	signer, err := s.keys.open("release")
	if err != nil {
		return key, err
	}
	if key, err = sign.NewRelease(signer); err != nil {
		return key, err
	}
	if err := s.matchesPublic("release", signer.Public()); err != nil {
		return key, fmt.Errorf("key release: %w", err)
	}
	return key, nil
}

// planRelease makes the new key, with the scope of the one that signs now.
func (p *keyPlan) planRelease() error {
	if err := p.rootsAtHand(); err != nil {
		return err
	}
	signer, err := p.makeKey(p.siteKey)
	if err != nil {
		return err
	}
	key, err := sign.NewRelease(signer)
	if err != nil {
		return err
	}
	text, err := sign.MarshalKey(key.Key())
	if err != nil {
		return err
	}
	p.file("certs/"+p.name+".pub.pem", text, 0o644)
	detail := changeDetail{Public: fleet.Digest(key.Key().ID()), Reason: p.cli.String("reason")}
	return p.documented(&detail, func(doc *sitedoc.Doc) error {
		detail.Before, detail.Ended, err = p.nameRelease(doc, key.Key())
		return err
	})
}

// nameRelease names key in doc as it names the present one, beside it or in place
// of all.
func (p *keyPlan) nameRelease(doc *sitedoc.Doc, key cose.Key) (before, ended []string, err error) {
	present, err := p.presentRelease(doc)
	if err != nil {
		return nil, nil, err
	}
	keys := doc.Keys
	if p.cli.Bool("no-overlap") {
		doc.Keys = nil
	}
	for _, k := range keys {
		if k.Key == present {
			k.Key = key
			doc.Keys = append(doc.Keys, k)
		}
	}
	if p.cli.Bool("no-overlap") {
		return nil, releaseIDs(keys), nil
	}
	return releaseIDs(keys), nil, nil
}

// releaseIDs are the keys of a site document, each once, as people see them.
func releaseIDs(keys []sitedoc.ReleaseKey) (ids []string) {
	for _, k := range keys {
		if id := idText(k.Key); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// endReleaseKeys takes release keys from before out of the site document.
func endReleaseKeys(s *session, action string) error {
	args := s.cli.Args().Slice()
	if len(args) == 0 || args[0] != "release" || len(args) > 2 || action == "key.retire" && len(args) > 1 {
		return usagef("%s: want %s", verbName(s.cli), s.cli.Command.ArgsUsage)
	}
	k, _ := siteKeyNamed("release")
	p := newKeyPlan(s, certified{siteKey: k}, action)
	return p.run(func() error { return p.planEnd(s.cli.Args().Get(1)) })
}

func (p *keyPlan) planEnd(id string) error {
	trust, err := p.trust()
	if err != nil {
		return err
	}
	ended, err := p.toEnd(trust.Site, strings.ToLower(id))
	if err != nil {
		return err
	}
	if p.change.Action == "key.retire" {
		if err := p.refuseRetirement(); err != nil {
			return err
		}
	}
	if err := p.rootsAtHand(); err != nil {
		return err
	}
	detail := changeDetail{Ended: releaseIDs(ended), Reason: p.cli.String("reason")}
	return p.documented(&detail, func(doc *sitedoc.Doc) error {
		doc.Keys = slices.DeleteFunc(doc.Keys, func(k sitedoc.ReleaseKey) bool {
			return slices.ContainsFunc(ended, func(e sitedoc.ReleaseKey) bool { return e.Key == k.Key })
		})
		return nil
	})
}

// toEnd are the keys that id names: all but the present one, when it is "".
func (p *keyPlan) toEnd(doc *sitedoc.Doc, id string) (ended []sitedoc.ReleaseKey, err error) {
	present, err := p.presentRelease(doc)
	if err != nil {
		return nil, err
	}
	if id != "" && strings.HasPrefix(present.ID().String(), id) {
		return nil, errPresentKey
	}
	for _, k := range doc.Keys {
		if k.Key != present && strings.HasPrefix(k.Key.ID().String(), id) {
			ended = append(ended, k)
		}
	}
	switch n := len(releaseIDs(ended)); {
	case n == 0 && id == "":
		return nil, errors.New("key release: the site document names no other than the present one")
	case n == 0:
		return nil, fmt.Errorf("key release: the site document names none that begins with %.64q", id)
	case n > 1 && id != "":
		return nil, fmt.Errorf("key release: %d of them begin with %.64q", n, id)
	}
	return ended, nil
}

var errPresentKey = errors.New("key release: is the one that signs now")

// A statedError says that boards get what other keys than the present one have
// stated.
type statedError struct{ what []string }

func (e *statedError) Error() string {
	return "key release: a key from before has stated what boards get: " + strings.Join(e.what, ", ")
}

// refuseRetirement refuses to end keys by which boards get something.
func (p *keyPlan) refuseRetirement() error {
	given, err := p.given()
	if err != nil {
		return err
	}
	e := &statedError{}
	for _, g := range given {
		if g.former && g.fault == nil {
			e.what = append(e.what, g.String())
		}
	}
	if e.what != nil {
		return e
	}
	return nil
}
