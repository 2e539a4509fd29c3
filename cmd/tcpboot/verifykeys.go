package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/mcuboot"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

const aboutVerify = "A FILE is a signed image as a board would get it, an image of MCUboot, a signed\n" +
	"manifest or a site document; a DIR is what `release files` has made, or an OCI layout.\n\n" +
	"With --key, --root, --app-key or --mcu-key each is held against these keys, and neither\n" +
	"a site nor a network is needed. With --root the site documents among the files say whose\n" +
	"manifests count, as they do for boards; without, those of the release keys of --key do.\n" +
	"What is not proved is said. Whatever is refused makes exit status 1."

var verifyFlags = []cli.Flag{
	&cli.StringSliceFlag{Name: "key", Usage: "without a site: manifests must be signed by the release key in `FILE`, PEM (one of several in it, or if repeated)"},
	&cli.StringSliceFlag{Name: "root", Usage: "without a site: site documents must be signed by the release root in `FILE`, PEM (may be repeated: by all of them)"},
	&cli.IntFlag{Name: "threshold", Usage: "by `M` of the release roots of --root", DefaultText: "all"},
	&cli.StringSliceFlag{Name: "app-key", Usage: "without a site: images must be signed by the image key in `FILE`, PEM (may be repeated: by one of them)"},
	&cli.StringSliceFlag{Name: "mcu-key", Usage: "without a site: images of MCUboot must be signed by the key in `FILE`, PEM (may be repeated)"},
}

func verifyAction(c *cli.Context) error {
	if c.NArg() == 0 {
		return usagef("release verify: want a version, files or folders")
	}
	for _, f := range []string{"key", "root", "app-key", "mcu-key"} {
		if c.IsSet(f) {
			return verifyWithKeys(c)
		}
	}
	if c.IsSet("threshold") {
		return usagef("release verify: --threshold goes with --root")
	}
	err := readingSite(releaseVerify)(c)
	if path := c.Args().First(); errors.Is(err, site.ErrNoSite) && path != "" && exists(path) {
		return usagef("%s: no site's keys are at hand: --key, --root, --app-key or --mcu-key says what to hold it against", path)
	}
	return err
}

// A judge holds files against keys that somebody has brought.
type judge struct {
	trust release.Trust // Site is nil where no key of manifests was given
	told  string        // where the release keys come from; empty: site documents name them
}

// verifyWithKeys proves files without a site. The first that is refused ends it.
func verifyWithKeys(c *cli.Context) error {
	docs, rest, err := splitDocuments(c.Args().Slice())
	if err != nil {
		return err
	}
	j, err := newJudge(c, docs)
	if err != nil {
		return err
	}
	proofs := j.documents(docs)
	for _, path := range rest {
		found, err := j.prove(c.Context, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		proofs = append(proofs, found...)
	}
	return answer(c, proofs, func(w io.Writer) { proofText(w, proofs) })
}

// A givenDocument is a site document that was given.
type givenDocument struct {
	path   string
	signed []byte
}

// splitDocuments takes the site documents out of what was given.
func splitDocuments(paths []string) (docs []givenDocument, rest []string, err error) {
	for _, path := range paths {
		text, err := readStart(path)
		if err != nil {
			return nil, nil, err
		}
		if _, err := cose.Read(sitedoc.Type, text); err != nil {
			rest = append(rest, path)
		} else {
			docs = append(docs, givenDocument{path, text})
		}
	}
	return docs, rest, nil
}

// readStart reads a file up to the size of a signed document, and nothing of a folder.
func readStart(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, cose.MaxSize+1))
}

// newJudge reads the keys of the flags.
func newJudge(c *cli.Context, docs []givenDocument) (j *judge, err error) {
	j = &judge{told: strings.Join(c.StringSlice("key"), ", ")}
	switch roots := c.StringSlice("root"); {
	case len(roots) > 0 && j.told != "":
		return nil, usagef("release verify: --root and --key exclude each other: a site document names the release keys")
	case len(roots) > 0 && len(docs) == 0:
		return nil, usagef("release verify: --root proves site documents (sitedocs/*.cose), and none is given")
	case len(roots) == 0 && (len(docs) > 0 || c.IsSet("threshold")):
		return nil, usagef("release verify: site documents and --threshold go with --root")
	case len(roots) > 0:
		err = j.chain(roots, c.Int("threshold"), docs)
	case j.told != "":
		err = j.releaseKeys(c.StringSlice("key"))
	}
	if err != nil {
		return nil, err
	}
	for _, file := range c.StringSlice("app-key") {
		if err := addAppKey(&j.trust, file); err != nil {
			return nil, err
		}
	}
	for _, file := range c.StringSlice("mcu-key") {
		key, err := readPublic(file)
		if err != nil {
			return nil, err
		}
		if _, err := mcuboot.KeyHash(key, crypto.SHA256); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		j.trust.MCU = append(j.trust.MCU, key)
	}
	return j, nil
}

// chain follows the site documents from the roots on, in the order in which they were
// given.
func (j *judge) chain(files []string, threshold int, docs []givenDocument) error {
	keys, err := readKeys(files)
	if err != nil {
		return err
	}
	roots := sitedoc.Roots{Keys: keys, Threshold: len(keys)}
	if threshold != 0 {
		roots.Threshold = threshold
	}
	if roots.Threshold < 1 || roots.Threshold > len(keys) {
		return usagef("--threshold %d: want 1 to %d, the roots that were given", threshold, len(keys))
	}
	var signed [][]byte
	for _, d := range docs {
		signed = append(signed, d.signed)
	}
	if j.trust.Site, err = sitedoc.Chain(roots, signed...); err != nil {
		return fmt.Errorf("site documents, in this order: %w", err)
	}
	return nil
}

// documents reports on the site documents, which newJudge has proved.
func (j *judge) documents(docs []givenDocument) (proofs []proof) {
	if len(docs) == 0 {
		return nil
	}
	f := release.Finding{Subject: "site documents", Proved: true,
		Detail: fmt.Sprintf("%d, up to epoch %d of site %s, signed by the release roots", len(docs), j.trust.Site.Epoch, j.trust.Site.Site)}
	return []proof{{File: docs[len(docs)-1].path, Proved: true, Findings: []release.Finding{f}}}
}

// releaseKeys makes a site document of keys that were given: it asks nothing but that
// one of them has signed.
func (j *judge) releaseKeys(files []string) error {
	keys, err := readKeys(files)
	j.trust.Site = &sitedoc.Doc{}
	for _, key := range keys {
		j.trust.Site.Keys = append(j.trust.Site.Keys,
			sitedoc.ReleaseKey{Key: key, Kind: sitedoc.Firmware}, sitedoc.ReleaseKey{Key: key, Kind: sitedoc.Loader})
	}
	return err
}

// readKeys reads files of one key, or of several, as `key export release` writes them.
func readKeys(files []string) (keys []cose.Key, err error) {
	for _, file := range files {
		text, err := readAtMost(file, sign.MaxPublicPEM)
		if err != nil {
			return nil, err
		}
		some, err := sign.ParseKeys(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, some...)
	}
	return keys, nil
}

func readPublic(file string) (crypto.PublicKey, error) {
	text, err := readAtMost(file, sign.MaxPublicPEM)
	if err != nil {
		return nil, err
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

func addAppKey(t *release.Trust, file string) error {
	pub, err := readPublic(file)
	if err != nil {
		return err
	}
	d, err := espimage.KeyDigest(pub)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	t.App = append(t.App, d)
	if key, ok := pub.(*ecdsa.PublicKey); ok {
		t.AppV1 = append(t.AppV1, key)
	}
	return nil
}

// prove proves what lies at path: a layout, a folder of files, a manifest, or an image.
func (j *judge) prove(ctx context.Context, path string) ([]proof, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() && exists(filepath.Join(path, "oci-layout")) {
		return j.layout(ctx, path)
	}
	var p proof
	if info.IsDir() {
		p, err = j.folder(path)
	} else {
		p, err = j.file(path)
	}
	p.File = path
	return []proof{p}, err
}

// isImage reports whether data is meant to be an image for a board: it is neither a
// signed manifest nor an image of MCUboot.
func isImage(data []byte) bool {
	return !isManifest(data) && !mcuboot.Begins(data)
}

// isManifest reports whether data begins as a COSE_Sign1 does.
func isManifest(data []byte) bool { return len(data) > 0 && data[0] == 0xd2 }

// file tells a manifest from the two kinds of images.
func (j *judge) file(path string) (p proof, err error) {
	data, err := readImage(path)
	if err != nil {
		return p, err
	}
	switch {
	case isManifest(data):
		r, err := release.Parse(data)
		if err != nil {
			return p, err
		}
		return j.release(r, nil)
	case mcuboot.Begins(data):
		report, err := mcuboot.Verify(data, mcuboot.Trust{Keys: j.trust.MCU})
		if err != nil {
			return p, err
		}
		for _, f := range report.Findings {
			p.Findings = append(p.Findings, release.Finding{Subject: f.Subject, Proved: f.Proved, Detail: f.Detail})
		}
		p.Version, p.Proved = report.Image.Version.String(), (&release.Report{Findings: p.Findings}).Proved()
		return p, nil
	}
	report, im, err := release.VerifyImage(data, j.trust)
	if err != nil {
		return p, err
	}
	return proof{Version: im.Descriptor.Version, Proved: report.Proved(), Findings: report.Findings}, nil
}

func (j *judge) folder(dir string) (p proof, err error) {
	files, err := readFolder(dir)
	if err != nil {
		return p, err
	}
	r, d, attached, err := bundle.ReadFolder(files)
	if err != nil {
		return p, err
	}
	return j.release(r, func(doc *sitedoc.Doc) ([]release.Finding, error) {
		judged, err := bundle.Judge(r, d, attached, keysFor(doc, r))
		if err != nil {
			return nil, err
		}
		return judged.Findings, nil
	})
}

// layout proves every release of an OCI layout, and its blobs.
func (j *judge) layout(ctx context.Context, dir string) (proofs []proof, err error) {
	l, err := bundle.Open(dir)
	if err != nil {
		return nil, err
	}
	if problems, err := l.Verify(ctx); err != nil || len(problems) > 0 {
		for _, p := range problems {
			err = errors.Join(err, errors.New(p.String()))
		}
		return nil, err
	}
	all, err := l.Releases(ctx)
	if err != nil {
		return nil, err
	}
	for _, stated := range all {
		r, err := l.Load(ctx, stated.Digest)
		var p proof
		if err == nil {
			p, err = j.packed(ctx, l, r)
		}
		if err != nil {
			return nil, fmt.Errorf("release %s for %s: %w", stated.Manifest.Version, stated.Manifest.Hardware, err)
		}
		p.File = dir
		proofs = append(proofs, p)
	}
	if len(proofs) == 0 {
		return nil, errors.New("no release in it")
	}
	return proofs, nil
}

// packed proves a release of a layout, and what goes with it.
func (j *judge) packed(ctx context.Context, l *bundle.Layout, r *release.Release) (p proof, err error) {
	return j.release(r, func(doc *sitedoc.Doc) ([]release.Finding, error) {
		all, err := l.Packed(ctx, r.Manifest.Version, r.Manifest.Hardware)
		if err != nil {
			return nil, err
		}
		for _, packed := range all {
			if packed.Release.Digest != r.Digest {
				continue
			}
			list, err := l.Attached(ctx, packed)
			if err != nil {
				return nil, err
			}
			files, err := bundle.ReadAttachments(ctx, l, list)
			if err != nil {
				return nil, err
			}
			judged, err := bundle.Judge(r, fleet.Sum(packed.Text), files, keysFor(doc, r))
			if err != nil {
				return nil, err
			}
			return judged.Findings, nil
		}
		return nil, nil
	})
}

var errNoReleaseKey = usageError{errors.New("is a release: --key FILE says which release key must have signed it, or --root FILE and the site documents")}

// An otherKeyError says that a release key which was not given has signed a release.
type otherKeyError struct {
	signer cose.KeyID
	told   string // where those that were given come from
	given  []sitedoc.ReleaseKey
}

func (e *otherKeyError) Error() string {
	var ids []string
	for _, k := range e.given {
		if id := e.short(k.Key.ID()); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return fmt.Sprintf("the manifest is signed by release key %s, in %s is %s", e.short(e.signer), e.told, strings.Join(ids, ", "))
}

// short is how key list shows a release key.
func (*otherKeyError) short(id cose.KeyID) string { return id.String()[:16] }

func (j *judge) otherKey(r *release.Release) error {
	message, err := cose.Read(release.Type, r.Signed)
	if err != nil {
		return err
	}
	return &otherKeyError{message.Signatures[0].Key, j.told, j.trust.Site.Keys}
}

// release proves a release, and what beside says of it.
func (j *judge) release(r *release.Release, beside func(*sitedoc.Doc) ([]release.Finding, error)) (p proof, err error) {
	if j.trust.Site == nil {
		return p, errNoReleaseKey
	}
	trust := j.trust
	if j.told != "" { // all that is asked of the manifest is the key
		doc := *trust.Site
		doc.Site, doc.Generation = r.Manifest.Site, r.Manifest.Counter.Generation
		trust.Site = &doc
	}
	report, err := release.Verify(r, trust)
	if errors.Is(err, cose.Untrusted) && j.told != "" {
		err = j.otherKey(r)
	}
	if err != nil {
		return p, err
	}
	findings := report.Findings
	if beside != nil {
		more, err := beside(trust.Site)
		if err != nil {
			return p, err
		}
		findings = append(findings, more...)
	}
	p = proofOf(r, findings)
	if j.told != "" {
		p.withoutSite(j.told)
	}
	return p, nil
}
