package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/attest"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/remote"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

const aboutStatements = "Beside the manifest the release key signs, for people: a sigstore bundle of the image\n" +
	"and of the manifest, where the release comes from (SLSA provenance), and the SBOM.\n" +
	"Boards look at none of it; `release files --help` says how anybody can. --source and\n" +
	"--revision are your word. SOURCE_DATE_EPOCH is the time that is stated, if it is set."

// statementFlags say what a release is stated to come from.
var statementFlags = []cli.Flag{
	&cli.PathFlag{Name: "sbom", Usage: "what is inside: `FILE`, CycloneDX in JSON"},
	&cli.StringFlag{Name: "source", Usage: "the program was built from the repository `URL`"},
	&cli.StringFlag{Name: "revision", Usage: "and from its commit `REV`"},
	&cli.StringFlag{Name: "builder", Usage: "`URI` of who runs this", DefaultText: "tcpboot:site:NAME"},
}

// about is what a cut states beside the manifest. Whatever can be refused of it is
// refused here, before the registry gives numbers.
func (s *session) about(q *release.Request) (about bundle.About, err error) {
	im, err := espimage.Parse(q.Image)
	if err != nil {
		return about, err
	}
	cut := attest.Cut{
		Version: q.Version, Hardware: q.Hardware.Name,
		Source: s.cli.String("source"), Revision: s.cli.String("revision"),
		Builder: s.cli.String("builder"), Tool: version(),
		Image: fleet.Sum(q.Image), About: im.Descriptor,
	}
	if cut.Builder == "" {
		cut.Builder = "tcpboot:site:" + s.site.Settings.Name
	}
	for _, name := range slices.Sorted(maps.Keys(q.Others)) {
		cut.Others = append(cut.Others, attest.Subject{Name: name + ".bin", Digest: fleet.Sum(q.Others[name])})
	}
	if file := s.cli.Path("sbom"); file != "" {
		if about.SBOM, err = readSBOM(file); err != nil {
			return about, err
		}
		cut.SBOM = about.SBOM.Digest()
	}
	if cut.Done, err = statedTime(); err != nil {
		return about, err
	}
	if err := cut.Check(); err != nil {
		return about, usageError{err}
	}
	about.Provenance, err = cut.Predicate()
	return about, err
}

func readSBOM(file string) (*attest.SBOM, error) {
	text, err := readAtMost(file, attest.MaxSBOM)
	if err != nil {
		return nil, err
	}
	list, err := attest.ReadSBOM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// readAtMost reads a file of at most limit bytes.
func readAtMost(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: larger than %d bytes", file, limit)
	}
	return text, err
}

// statedTime is now, or what SOURCE_DATE_EPOCH says, as builds that can be repeated
// have it.
func statedTime() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Now(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxEpoch {
		return time.Time{}, usagef("SOURCE_DATE_EPOCH=%.40q: want seconds since 1970", text)
	}
	return time.Unix(n, 0), nil
}

// maxEpoch is the last second whose year has four digits.
const maxEpoch = 253402300799

// attached are the files that go with a release of the site. A registry that keeps
// the releases is asked for them; where it is away, what is here is what there is.
func (d *depot) attached(ctx context.Context, p *bundle.Packed) ([]bundle.Attachment, error) {
	if d.behind != nil {
		if files, err := attachedIn(ctx, d.behind, p.Descriptor); err == nil {
			return files, nil
		}
	}
	list, err := d.Attached(ctx, p)
	if err != nil {
		return nil, err
	}
	return bundle.ReadAttachments(ctx, d.Layout, list)
}

// attachedIn are the files that are attached to a manifest in a registry.
func attachedIn(ctx context.Context, repo *remote.Repository, to ocispec.Descriptor) ([]bundle.Attachment, error) {
	referrers, err := repo.Referrers(ctx, to)
	if err != nil {
		return nil, err
	}
	list, err := bundle.ReadAttached(ctx, repo, to, referrers)
	if err != nil {
		return nil, err
	}
	return bundle.ReadAttachments(ctx, repo, list)
}

// bring puts what goes with a release where the layout has it.
func (d *depot) bring(ctx context.Context, p *bundle.Packed) error {
	if d.behind == nil {
		return nil
	}
	return d.FillAttached(ctx, d.behind, p)
}

// judged is a release as it is packed, and what is proved of what goes with it.
func (s *session) judged(r *release.Release) (*bundle.Packed, *bundle.Judgement, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, nil, err
	}
	all, err := layout.Packed(s.ctx(), r.Manifest.Version, r.Manifest.Hardware)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(all, func(p *bundle.Packed) bool { return p.Release.Digest == r.Digest })
	if i < 0 {
		return nil, nil, fmt.Errorf("release %s: %w", r.Digest, errNoRelease)
	}
	files, err := layout.attached(s.ctx(), all[i])
	if err != nil {
		return nil, nil, err
	}
	trust, err := s.trust()
	if err != nil {
		return nil, nil, err
	}
	j, err := bundle.Judge(r, fleet.Sum(all[i].Text), files, keysFor(trust.Site, r))
	return all[i], j, err
}

// keysFor are the keys whose signature on r counts.
func keysFor(doc *sitedoc.Doc, r *release.Release) (keys []cose.Key) {
	for _, k := range doc.Keys {
		if key, err := doc.ReleaseKey(k.Key.ID(), r.Manifest.Kind, r.Manifest.Hardware); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// attachAgain says of restated, which has the bytes of r, what was said of r.
func (s *session) attachAgain(r, restated *release.Release, key sign.Release) ([]bundle.Attachment, error) {
	_, j, err := s.judged(r)
	if err != nil {
		return nil, err
	}
	return bundle.Attach(restated, j.About, key)
}

// A shownRelease is a release, and what goes with it.
type shownRelease struct {
	releaseRow
	Packed     string   `json:"packed"`     // the image manifest, which cosign verifies
	Statements []string `json:"statements"` // as `release files` names them

	Signatures []imageSignature `json:"signatures"` // of its image
}

// shown lists what goes with a release. Whether it holds is for verify to say.
func (s *session) shown(row releaseRow) (r shownRelease, err error) {
	p, j, err := s.judged(&release.Release{Manifest: row.Manifest, Digest: row.Digest})
	if p == nil {
		return r, err
	}
	r = shownRelease{releaseRow: row, Packed: p.Descriptor.Digest.String(), Statements: []string{}}
	if err != nil {
		say(s.cli, "what is said of it does not hold: %v", err)
		return r, nil
	}
	for _, f := range j.Files {
		r.Statements = append(r.Statements, f.Name)
	}
	slices.Sort(r.Statements)
	return r, nil
}

func statementsText(w io.Writer, r shownRelease) {
	fmt.Fprintf(w, "%-10s %s\n", "packed", r.Packed)
	for _, name := range r.Statements {
		fmt.Fprintf(w, "%-10s %s\n", "statement", name)
	}
}
