package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var (
	publicFlag    = &cli.PathFlag{Name: "public", Usage: "of a release root: the new key lies elsewhere, and `FILE` is its public half"}
	thresholdFlag = &cli.IntFlag{Name: "threshold", Usage: "of a release root: `M` of the roots must sign from then on", DefaultText: "as many as before"}
)

// planRoot puts another key in the place of a root, or one beside the others. The
// document that says so is signed by the roots before and by those that it names: a
// board that slept for years goes from one to the next.
func (p *keyPlan) planRoot() error {
	if p.change.Action == "key.rotate" && !slices.Contains(p.roots(), p.name) {
		return fmt.Errorf("key %s: the site has none: `tcpboot key create %s` makes it", p.name, p.name)
	}
	if err := p.rootsAtHand(); err != nil {
		return err
	}
	key, err := p.newRoot()
	if err != nil {
		return err
	}
	text, err := sign.MarshalKey(key)
	if err != nil {
		return err
	}
	var was cose.Key
	if p.change.Action == "key.rotate" {
		if was, err = p.rootPublic(p.name); err != nil {
			return err
		}
	}
	if err := p.keepFirstRoots(); err != nil {
		return err
	}
	p.file("certs/"+p.name+".pub.pem", text, 0o644)
	detail := changeDetail{Public: fleet.Digest(key.ID()), Reason: p.cli.String("reason")}
	return p.documented(&detail, func(doc *sitedoc.Doc) error {
		doc.Roots.Keys = append(slices.DeleteFunc(doc.Roots.Keys, func(k cose.Key) bool { return k == was }), key)
		p.setThreshold(doc)
		return nil
	})
}

func (p *keyPlan) setThreshold(doc *sitedoc.Doc) {
	if p.cli.IsSet("threshold") {
		doc.Roots.Threshold = p.cli.Int("threshold")
	}
}

// newRoot makes the root's key, or takes the public half of one that its holder has.
func (p *keyPlan) newRoot() (cose.Key, error) {
	if file := p.cli.Path("public"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return cose.Key{}, err
		}
		return p.heldRoot(text)
	}
	signer, err := p.makeKey(p.siteKey)
	if err != nil {
		return cose.Key{}, err
	}
	root, err := sign.NewRoot(signer)
	return root.Key(), err
}

// heldRoot takes the place of a root whose private half never comes here: what lies
// here of the one before is of no more use.
func (p *keyPlan) heldRoot(text []byte) (cose.Key, error) {
	if p.cli.IsSet("key") {
		return cose.Key{}, usagef("%s: --public and --key are two places", verbName(p.cli))
	}
	key, err := sign.ParseKey(text)
	if err != nil {
		return key, err
	}
	if _, elsewhere := p.site.Settings.Keys[p.name]; elsewhere {
		p.change.Keys[p.name] = ""
	}
	p.file("keys/"+p.name+".pem", nil, 0)
	copied, err := p.openCopy(false)
	if err != nil || copied == nil {
		return key, err
	}
	return key, p.putIntoCopy(copied, p.name, nil, false)
}

// keepFirstRoots writes down with which roots the chain of documents begins, before
// they change.
func (p *keyPlan) keepFirstRoots() error {
	if exists(p.site.Path(firstRootsFile)) {
		return nil
	}
	first, err := p.firstRoots()
	if err != nil {
		return err
	}
	text, err := json.Marshal(first)
	p.file(firstRootsFile, append(text, '\n'), 0o644)
	return err
}

// planRetireRoot takes a root away, one beside the first.
func (p *keyPlan) planRetireRoot() error {
	if !slices.Contains(p.roots(), p.name) {
		return fmt.Errorf("key %s: the site has none", p.name)
	}
	was, err := p.rootPublic(p.name)
	if err != nil {
		return err
	}
	if err := p.rootsAtHand(); err != nil {
		return err
	}
	p.file("certs/"+p.name+".pub.pem", nil, 0)
	p.file("keys/"+p.name+".pem", nil, 0)
	if _, elsewhere := p.site.Settings.Keys[p.name]; elsewhere {
		p.change.Keys[p.name] = ""
	}
	detail := changeDetail{Ended: []string{idText(was)}, Reason: p.cli.String("reason")}
	return p.documented(&detail, func(doc *sitedoc.Doc) error {
		doc.Roots.Keys = slices.DeleteFunc(doc.Roots.Keys, func(k cose.Key) bool { return k == was })
		p.setThreshold(doc)
		return nil
	})
}

var errFirstRoot = errors.New("release-root: the first root is replaced, and never taken away")
