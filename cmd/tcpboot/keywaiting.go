package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// Release roots may lie with several people. A change whose site document lacks
// signatures lies in waitingFile until they have come: nothing of it counts, and
// meanwhile no other change of keys is begun, because it was made for what there
// is. The document goes to the holders in a file and comes back signed. With the
// last signature the change is carried out as any other.
const waitingFile = ".keywaiting"

var toSignFlag = &cli.PathFlag{Name: "to-sign", Usage: "where release roots are elsewhere: write the site document to `FILE` for their holders, and wait for key attach"}

var errWaiting = errors.New("a change of keys waits for signatures of release roots")

var keyAttachVerb = &cli.Command{
	Name:      "attach",
	Usage:     "bring signatures of release roots to the change that waits for them",
	ArgsUsage: "[FILE...]",
	Description: "Each FILE is the site document of --to-sign, signed by `key sign`. Roots that can be\n" +
		"opened here sign as well. With the last signature that it needs the change is made.",
	Flags:  []cli.Flag{withFlag},
	Action: withSite(keyAttach),
}

var keyPendingVerb = &cli.Command{
	Name:  "pending",
	Usage: "the change that waits for signatures of release roots",
	Flags: []cli.Flag{
		&cli.PathFlag{Name: "out", Usage: "write its site document to `FILE`, as far as it is signed"},
		&cli.BoolFlag{Name: "drop", Usage: "give the change up"},
	},
	Action: withSite(keyPending),
}

// A waitingChange is a change with its document as it is, and the document that it
// follows.
type waitingChange struct {
	keyChange
	draft  *sitedoc.Draft
	before *sitedoc.Doc
}

// wait puts a change aside.
func (p *keyPlan) wait() error {
	out := p.cli.Path("to-sign")
	w, err := p.waiting(&p.change)
	if err != nil {
		return err
	}
	if out == "" {
		return &unsignedError{w.lacks()}
	}
	if err := p.site.CanSetKeys(w.Keys); err != nil {
		return err
	}
	if err := p.putAside(w); err != nil {
		return err
	}
	if err := site.WriteFile(out, w.Document, 0o644); err != nil {
		return err
	}
	return p.answerWaiting(w, out)
}

// An unsignedError says that a change cannot be made here alone.
type unsignedError struct{ lacks string }

func (e *unsignedError) Error() string { return "the site document lacks " + e.lacks }

func (s *session) putAside(w *waitingChange) error {
	text, err := json.Marshal(w.keyChange)
	if err != nil {
		return err
	}
	return site.WriteFile(s.site.Path(waitingFile), text, 0o600)
}

// readWaiting reads what waits; nil when nothing does.
func (s *session) readWaiting() (*waitingChange, error) {
	text, err := readSecretFile(s.site.Path(waitingFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &keyChange{}
	if err := strictJSON(text, c); err != nil {
		return nil, fmt.Errorf("%s: %w", waitingFile, err)
	}
	return s.waiting(c)
}

func (s *session) waiting(c *keyChange) (*waitingChange, error) {
	draft, err := sitedoc.ReadDraft(c.Document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", waitingFile, err)
	}
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	return &waitingChange{*c, draft, trust.Site}, nil
}

// lacks says which signatures are missing.
func (w *waitingChange) lacks() string {
	old, own := w.draft.Lacks(w.before)
	count := func(n int, whose string) string { return fmt.Sprintf("%d of %s", n, whose) }
	switch {
	case sameRoots(w.before.Roots, w.draft.Doc.Roots):
		return "signatures: " + count(old, "the release roots")
	case own == 0:
		return "signatures: " + count(old, "the roots before")
	case old == 0:
		return "signatures: " + count(own, "the roots that it names")
	}
	return "signatures: " + count(old, "the roots before") + " and " + count(own, "the roots that it names")
}

func sameRoots(a, b sitedoc.Roots) bool {
	return a.Threshold == b.Threshold && len(a.Keys) == len(b.Keys) &&
		!slices.ContainsFunc(a.Keys, func(k cose.Key) bool { return !slices.Contains(b.Keys, k) })
}

// A waitingState is the answer about a change that waits.
type waitingState struct {
	Key    string   `json:"key"`
	Action string   `json:"action"`
	Epoch  uint64   `json:"epoch"`
	Signed []string `json:"signed"` // by roots
	Lacks  string   `json:"lacks"`
	Out    string   `json:"out,omitempty"`
}

func (s *session) answerWaiting(w *waitingChange, out string) error {
	st := waitingState{Key: w.Key, Action: w.Action, Epoch: w.draft.Doc.Epoch, Signed: []string{}, Lacks: w.lacks(), Out: out}
	roots := append(slices.Clone(w.before.Roots.Keys), w.draft.Doc.Roots.Keys...)
	for _, k := range w.draft.Signers(roots...) {
		if id := idText(k); !slices.Contains(st.Signed, id) {
			st.Signed = append(st.Signed, id)
		}
	}
	return answer(s.cli, st, func(w io.Writer) {
		fmt.Fprintf(w, "%s %s waits: site document %d lacks %s\n", st.Action, st.Key, st.Epoch, st.Lacks)
		if len(st.Signed) > 0 {
			fmt.Fprintf(w, "it is signed by %s\n", strings.Join(st.Signed, ", "))
		}
		if out != "" {
			fmt.Fprintf(w, "document in %s: each holder runs `tcpboot key sign FILE --key URI`; then `tcpboot key attach FILE`\n", out)
		}
	})
}

// keyAttach gathers signatures, and carries the change out when they are enough.
func keyAttach(s *session) error {
	unlock, err := s.lockKeys()
	if err != nil {
		return err
	}
	defer unlock()
	if f := s.finished; f != nil && s.wasWaiting(f) {
		p := s.planOf(*f)
		p.resumed = true
		return p.follow()
	}
	p, err := s.attached(s.cli.Args().Slice()...)
	if err != nil {
		return err
	}
	if p.change.Document == nil {
		return p.carryOut()
	}
	w, err := s.waiting(&p.change)
	if err != nil {
		return err
	}
	if err := s.putAside(w); err != nil {
		return err
	}
	return s.answerWaiting(w, "")
}

// attached is the change that waits, with the signatures in files and those of the
// roots that can be opened. With all that it needs its document is among its files,
// and it waits no more.
func (s *session) attached(files ...string) (*keyPlan, error) {
	w, err := s.readWaiting()
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, errNothingWaits
	}
	if w.draft.Doc.Epoch != w.before.Epoch+1 {
		return nil, fmt.Errorf("site document %d was made since: the one that waits follows nothing any more", w.before.Epoch)
	}
	if err := s.gather(w, files); err != nil {
		return nil, err
	}
	p := s.planOf(w.keyChange)
	if err := p.putDocument(w.draft, w.before); err != nil {
		return nil, err
	}
	if p.change.Document == nil {
		p.file(waitingFile, nil, 0)
	}
	return p, nil
}

var errNothingWaits = errors.New("no change of keys waits for signatures")

// gather adds the signatures in the files, and those of roots that can be opened.
func (s *session) gather(w *waitingChange, files []string) error {
	for _, file := range files {
		signed, err := readDraft(file)
		if err == nil {
			err = w.draft.Add(signed, w.before)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if err := s.keys.borrow(s.cli.StringSlice("with")); err != nil {
		return err
	}
	return s.planOf(w.keyChange).signDraft(w.draft, w.before)
}

// planOf is the plan of a change that was made before.
func (s *session) planOf(c keyChange) *keyPlan {
	k, err := certifiedNamed("", c.Key)
	if err != nil { // no key of a CA or a server
		k.siteKey, _ = siteKeyNamed(c.Key)
	}
	p := newKeyPlan(s, k, c.Action)
	p.change = c
	return p
}

// wasWaiting reports whether a change came to its moment by key attach.
func (s *session) wasWaiting(c *keyChange) bool {
	return slices.ContainsFunc(c.Files, func(f changedFile) bool { return f.Path == waitingFile })
}

func keyPending(s *session) error {
	unlock, err := s.lockKeys()
	if err != nil {
		return err
	}
	defer unlock()
	w, err := s.readWaiting()
	if err != nil {
		return err
	}
	if w == nil {
		return errNothingWaits
	}
	out := s.cli.Path("out")
	if s.cli.Bool("drop") {
		if err := os.Remove(s.site.Path(waitingFile)); err != nil {
			return err
		}
		return answer(s.cli, map[string]string{"dropped": w.Action, "key": w.Key}, func(wr io.Writer) {
			fmt.Fprintf(wr, "%s %s is given up: nothing of it was made\n", w.Action, w.Key)
		})
	}
	if out != "" {
		if err := site.WriteFile(out, w.Document, 0o644); err != nil {
			return err
		}
	}
	return s.answerWaiting(w, out)
}

// readDraft reads the file of a site document that is being signed.
func readDraft(file string) (*sitedoc.Draft, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, sitedoc.MaxSize+1))
	if err != nil {
		return nil, err
	}
	return sitedoc.ReadDraft(text)
}
