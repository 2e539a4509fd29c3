package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A change of keys that boards must learn of is a site document, too. The roots
// that can be opened here sign it. Where they are no quorum, it waits: see
// keywaiting.go.

// A rootsError says that too few release roots can be opened here to sign a site
// document.
type rootsError struct {
	here, want int
	away       error // why the first that is missing cannot be opened
}

func (e *rootsError) Error() string {
	return fmt.Sprintf("a site document takes %d of the release roots, and %d can be opened here: %v", e.want, e.here, e.away)
}

func (e *rootsError) Unwrap() error { return e.away }

// rootsAtHand refuses a change whose site document could not be signed here, before
// anything is made for it. With --to-sign it may wait.
func (p *keyPlan) rootsAtHand() error {
	if p.cli.IsSet("to-sign") {
		return nil
	}
	trust, err := p.trust()
	if err != nil {
		return err
	}
	e := &rootsError{want: trust.Site.Roots.Threshold}
	for _, name := range p.roots() {
		_, err := p.root(name)
		switch {
		case err == nil:
			if e.here++; e.here == e.want {
				return nil
			}
		case !errors.As(err, new(*awayError)):
			return err
		case e.away == nil:
			e.away = err
		}
	}
	if e.want == 1 && e.away != nil {
		return e.away
	}
	return e
}

// document makes the next site document part of the change: the newest one, with
// something else about it.
func (p *keyPlan) document(change func(*sitedoc.Doc) error) (epoch uint64, err error) {
	trust, err := p.trust()
	if err != nil {
		return 0, err
	}
	next := *trust.Site
	next.Epoch++
	next.Keys = slices.Clone(next.Keys)
	next.Roots.Keys = slices.Clone(next.Roots.Keys)
	if err := change(&next); err != nil {
		return 0, err
	}
	draft, err := sitedoc.NewDraft(&next)
	if err == nil {
		err = p.signDraft(draft, trust.Site)
	}
	if err != nil {
		return 0, err
	}
	return next.Epoch, p.putDocument(draft, trust.Site)
}

// documented is document for a change whose audit row says detail and the epoch.
func (p *keyPlan) documented(detail *changeDetail, change func(*sitedoc.Doc) error) (err error) {
	if detail.Epoch, err = p.document(change); err != nil {
		return err
	}
	return p.describe(*detail)
}

// signDraft has the roots sign that can be opened here, the new ones among them, as
// far as a signature brings the draft further.
func (p *keyPlan) signDraft(draft *sitedoc.Draft, before *sitedoc.Doc) error {
	for _, name := range p.roots() {
		key, err := p.rootPublic(name)
		if err != nil {
			return err
		}
		if !draft.Wants(key, before) {
			continue
		}
		root, err := p.root(name)
		if errors.As(err, new(*awayError)) {
			continue
		}
		if err == nil {
			err = draft.Sign(root)
		}
		if err != nil {
			return err
		}
	}
	return p.signByNew(draft, before)
}

// signByNew has the root sign that the change makes.
func (p *keyPlan) signByNew(draft *sitedoc.Draft, before *sitedoc.Doc) error {
	signer := p.opened[p.name]
	if p.role != rootKey("").role || signer == nil {
		return nil
	}
	root, err := sign.NewRoot(signer)
	if err != nil || !draft.Wants(root.Key(), before) {
		return err
	}
	return draft.Sign(root)
}

// putDocument puts a document that is whole in front of all that the change writes:
// who reads the site meanwhile takes the document by the roots from before. One that
// is not has to wait.
func (p *keyPlan) putDocument(draft *sitedoc.Draft, before *sitedoc.Doc) error {
	if old, own := draft.Lacks(before); old+own > 0 {
		p.change.Document = draft.Bytes()
		return nil
	}
	if _, err := before.Follow(draft.Bytes()); err != nil {
		return err
	}
	p.change.Document = nil
	p.change.Files = slices.Insert(p.change.Files, 0,
		changedFile{fmt.Sprintf("sitedocs/%d.cose", draft.Doc.Epoch), 0o644, draft.Bytes()})
	return nil
}

// idText is how people see a key of a site document.
func idText(k cose.Key) string { return k.ID().String()[:16] }
