package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/attest"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/detached"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A cut is a release in the making: what it is made of, and the signatures that it has.
// It can be made any number of times, and comes out the same.
type cut struct {
	Asked      string                   `json:"asked"` // who asks for the same again goes on with it
	Request    release.Request          `json:"request"`
	AppKeys    []string                 `json:"app_keys"` // block 0 first
	Variants   []variantOf              `json:"variants,omitempty"`
	Provenance []byte                   `json:"provenance"`
	SBOM       []byte                   `json:"sbom,omitempty"`
	Made       map[string]detached.Made `json:"made"`

	about  bundle.About
	ledger *detached.Ledger
	forms  []form // that for present loaders first
}

// A form is who signs what is cut for the loaders of one generation.
type form struct {
	app    []sign.App   // the image
	key    sign.Release // the manifest
	states func(bundle.Draft) (sign.Release, error)
}

// newCut reads what is to be cut.
func (s *session) newCut(path string) (*cut, error) {
	q, err := s.cutRequest(path)
	if err != nil {
		return nil, err
	}
	c := &cut{Request: *q}
	if c.AppKeys, err = s.appKeyNames(q.Hardware.Scheme); err != nil {
		return nil, err
	}
	if q.Kind == sitedoc.Firmware { // no loader judges its successor
		if c.Variants, err = s.variantsOf(q.Hardware); err != nil {
			return nil, err
		}
	}
	if c.about, err = s.about(q); err != nil {
		return nil, err
	}
	c.Provenance = c.about.Provenance
	if c.about.SBOM != nil {
		c.SBOM = c.about.SBOM.Text
	}
	c.Asked = s.asked(c)
	return c, nil
}

// readAbout is for a cut that was put aside.
func (c *cut) readAbout() (err error) {
	c.about.Provenance = c.Provenance
	if c.SBOM != nil {
		c.about.SBOM, err = attest.ReadSBOM(c.SBOM)
	}
	return err
}

// asked tells one cut of a version from another, but for the numbers and the time.
func (s *session) asked(c *cut) string {
	others := map[string]fleet.Digest{}
	for name, image := range c.Request.Others {
		others[name] = fleet.Sum(image)
	}
	flags := map[string]string{}
	for _, name := range []string{"min-loader", "source", "revision", "builder"} {
		flags[name] = s.cli.String(name)
	}
	if s.cli.IsSet("kind") {
		flags["kind"] = s.cli.String("kind")
	}
	if s.cli.IsSet("counter") {
		flags["counter"] = fmt.Sprint(s.cli.Uint("counter"))
	}
	return jsonText(map[string]any{
		"image": fleet.Sum(c.Request.Image), "others": others, "app_keys": c.AppKeys, "sbom": fleet.Sum(c.SBOM),
		"channels": s.cli.StringSlice("channel"), "flags": flags,
	})
}

// cutAgain goes on with a cut that waits, where the same is asked for again.
func (s *session) cutAgain(c, waiting *cut) error {
	q := c.Request
	if waiting == nil {
		return nil
	}
	if !s.cli.IsSet("to-sign") || c.Asked != waiting.Asked {
		return &waitsError{q.Version, q.Hardware.Name}
	}
	if err := s.openCutKeys(waiting, s.orElsewhere); err != nil {
		return err
	}
	return s.finishCut(waiting, s.cli.Path("to-sign"), nil)
}

// make makes the release and its variants, and what is stated of them. Where keys are
// elsewhere the error is detached.ErrElsewhere, and the ledger knows what is wanted of
// them, of all forms.
func (c *cut) make() (all []bundle.Whole, err error) {
	var elsewhere error
	for _, f := range c.forms {
		q, w := c.Request, bundle.Whole{}
		q.App, q.Key = f.app, f.key
		if w.Release, err = release.Cut(q); err == nil {
			w.Attached, err = bundle.AttachBy(w.Release, c.about, f.states)
		}
		if err != nil && !errors.Is(err, detached.ErrElsewhere) {
			return nil, err
		}
		elsewhere = errors.Join(elsewhere, err)
		all = append(all, w)
	}
	return all, elsewhere
}

// finishCut makes the release exist, or puts the cut aside where signatures are
// wanted; dir is where these are asked for.
func (s *session) finishCut(c *cut, dir string, attachedNow []string) error {
	all, err := c.make()
	if errors.Is(err, detached.ErrElsewhere) {
		return s.wait(c, dir, attachedNow)
	}
	if err != nil {
		return err
	}
	report, err := s.reportAll(all)
	if err != nil {
		return fmt.Errorf("what was cut does not hold against the site's own keys: %w", err)
	}
	layout, err := s.layout()
	if err != nil {
		return err
	}
	if err := layout.StoreVariants(s.ctx(), all...); err != nil { // now the release exists
		return err
	}
	for i, v := range all[1:] {
		c.Variants[i].Manifest = v.Release.Digest.String()
	}
	if err := s.recordCut(c, all[0].Release); err != nil {
		return err
	}
	if err := s.dropCut(c); err != nil {
		return err
	}
	return s.answerMade(c, all[0].Release, report)
}

// reportAll proves a release and its variants; the report is the release's.
func (s *session) reportAll(all []bundle.Whole) (*release.Report, error) {
	for _, v := range all[1:] {
		if _, err := s.reportWhole(v.Release); err != nil {
			return nil, err
		}
	}
	return s.reportWhole(all[0].Release)
}

// recordCut writes the audit row of a release that exists.
func (s *session) recordCut(c *cut, r *release.Release) error {
	detail := map[string]any{"manifest": r.Digest, "image": r.Manifest.Image.Digest}
	if len(c.Variants) > 0 {
		detail["variants"] = c.Variants
	}
	h := c.Request.Hardware
	if unsafe := espimage.Unsafe(h.Chip, h.Scheme); unsafe != nil { // somebody insisted
		detail["forced"] = unsafe.Error()
	}
	return s.fleet.Record(s.ctx(), "release.cut", r.Manifest.Hardware+"/"+r.Manifest.Version, jsonText(detail))
}

func (s *session) answerMade(c *cut, r *release.Release, report *release.Report) error {
	row := cutRow{releaseRow{Manifest: r.Manifest, Digest: r.Digest, Offered: []fleet.Offer{}, Variants: c.Variants}, c.AppKeys, openOf(report)}
	q := c.Request
	return answer(s.cli, row, func(w io.Writer) {
		fmt.Fprintf(w, "release %s for %s: %d bytes, signed %s, counter %s\n", q.Version, q.Hardware.Name, r.Manifest.Image.Size, q.Hardware.Scheme, counterText(r.Manifest.Counter))
		if len(c.AppKeys) > 1 {
			for i, name := range c.AppKeys {
				fmt.Fprintf(w, "signature block %d: %s\n", i, name)
			}
		}
		for _, o := range r.Manifest.Others {
			fmt.Fprintf(w, "component %s: %d bytes\n", o.Name, o.Size)
		}
		for _, f := range row.Open {
			fmt.Fprintf(w, "not proved: %s: %s\n", printable(f.Subject), printable(f.Detail))
		}
		fmt.Fprintf(w, "manifest %s\n", r.Digest)
		for _, v := range c.Variants {
			fmt.Fprintf(w, "variant for the loaders of %d boards, by %s\n", v.Boards, v.Key)
		}
	})
}

// A cutRow is the answer about a release that was cut.
type cutRow struct {
	releaseRow
	SignedBy []string          `json:"signed_by"` // the site's names of the image's keys, block 0 first
	Open     []release.Finding `json:"open"`      // what could not be proved of it
}

func openOf(r *release.Report) []release.Finding {
	return emptyNotNull(slices.DeleteFunc(slices.Clone(r.Findings), func(f release.Finding) bool { return f.Proved }))
}

// readOthers reads the images for chips behind the board: [NAME=]FILE.
func readOthers(flags []string) (map[string][]byte, error) {
	others := map[string][]byte{}
	for _, f := range flags {
		name, file := splitOther(f)
		if _, twice := others[name]; twice {
			return nil, usagef("--mcu: %s stands twice: NAME=FILE tells images apart", name)
		}
		image, err := readMemory(file)
		if err != nil {
			return nil, err
		}
		if err := fleet.CheckName("component", name); err != nil {
			return nil, usageError{fmt.Errorf("--mcu: %w", err)}
		}
		others[name] = image.bytes
	}
	return others, nil
}

// otherNames are the names of images for chips behind the board.
func otherNames(q *release.Request) []string { return slices.Sorted(maps.Keys(q.Others)) }

// jsonText is a small value as one line of JSON, for the audit trail and to compare.
func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of digests and numbers always marshal
	}
	return string(text)
}
