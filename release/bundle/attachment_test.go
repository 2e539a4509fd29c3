package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/attest"
	"github.com/tcpboot/tcpboot/release/cose"
)

// cutApp is cut with what begins like an ESP32 image, which a release key signs.
func cutApp(t testing.TB, version string, sequence uint64, others ...string) *release.Release {
	t.Helper()
	r := cut(t, version, sequence, others...)
	r.Manifest.Image = component(r, "app", "\xe9 image of "+version)
	return resign(t, r)
}

// aboutOf is what is said of r.
func aboutOf(t testing.TB, r *release.Release) About {
	t.Helper()
	list, err := attest.ReadSBOM([]byte("{\"bomFormat\":\"CycloneDX\", \"specVersion\":\"1.5\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := attest.Cut{
		Version: r.Manifest.Version, Hardware: r.Manifest.Hardware, Builder: "a:b", Revision: "8f2c41d",
		Done: time.Unix(1700000000, 0), Image: fleet.Sum([]byte("unsigned")), SBOM: list.Digest(),
	}.Predicate()
	if err != nil {
		t.Fatal(err)
	}
	return About{p, list}
}

// attachedTo makes everything that goes with r.
func attachedTo(t testing.TB, r *release.Release) []Attachment {
	t.Helper()
	all, err := Attach(r, aboutOf(t, r), releaseKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// judgeStored judges what the layout has of r.
func judgeStored(t testing.TB, l *Layout, r *release.Release) *Judgement {
	t.Helper()
	ctx := context.Background()
	p := packedOf(t, l, r)
	list, err := l.Attached(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	files, err := ReadAttachments(ctx, l, list)
	if err != nil {
		t.Fatal(err)
	}
	j, err := Judge(r, digestOf(p.Descriptor), files, []cose.Key{releaseKey(t).Key()})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func packedOf(t testing.TB, l *Layout, r *release.Release) *Packed {
	t.Helper()
	all, err := l.Packed(context.Background(), r.Manifest.Version, r.Manifest.Hardware)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(p *Packed) bool { return p.Release.Digest == r.Digest })
	if i < 0 {
		t.Fatalf("%s is not there", r.Digest)
	}
	return all[i]
}

func namesOf(files []Attachment) (names []string) {
	for _, f := range files {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

func openIn(j *Judgement) (open []string) {
	for _, f := range j.Findings {
		if !f.Proved {
			open = append(open, f.Subject+": "+f.Detail)
		}
	}
	return open
}

// What is stored with a release exists with it, is proved, and is the same bytes
// whenever it is made.
func TestStoreAttached(t *testing.T) {
	l, r := newLayout(t), cutApp(t, "1.0", 1, "mcu")
	for range 2 {
		if err := l.Store(context.Background(), r, attachedTo(t, r)...); err != nil {
			t.Fatal(err)
		}
		checkLayout(t, l, r)
		j := judgeStored(t, l, r)
		if open := openIn(j); len(open) > 0 || len(j.Findings) != 5 {
			t.Errorf("open %q, findings %+v", open, j.Findings)
		}
		want := []string{"app.bin.sigstore.json", "manifest.cose.sigstore.json", "provenance.sigstore.json", "release.sigstore.json", "sbom.cdx.json", "sbom.sigstore.json"}
		if got := namesOf(j.Files); !slices.Equal(got, want) {
			t.Errorf("files %q, want %q", got, want)
		}
		about := aboutOf(t, r)
		if !bytes.Equal(j.About.Provenance, about.Provenance) || !bytes.Equal(j.About.SBOM.Text, about.SBOM.Text) {
			t.Errorf("about %s, %s", j.About.Provenance, j.About.SBOM.Text)
		}
	}
}

// Registries and people are told of the provenance what is signed.
func TestAnnotations(t *testing.T) {
	r := cutApp(t, "1.0", 1)
	all := attachedTo(t, r)
	i := slices.IndexFunc(all, func(a Attachment) bool { return a.Name == provenanceFile })
	want := map[string]string{
		ocispec.AnnotationCreated: "2023-11-14T22:13:20Z", ocispec.AnnotationRevision: "8f2c41d",
		annotationContent: "dsse-envelope", annotationPredicate: attest.Provenance,
	}
	if got := all[i].Annotations; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A release from before there were attachments gets its signatures; what a key has
// signed before it does not sign again.
func TestSign(t *testing.T) {
	ctx := context.Background()
	l, r := newLayout(t), cutApp(t, "1.0", 1)
	store(t, l, r)
	for range 2 {
		if err := l.Sign(ctx, packedOf(t, l, r), releaseKey(t)); err != nil {
			t.Fatal(err)
		}
		checkLayout(t, l, r)
	}
	j := judgeStored(t, l, r)
	if got := namesOf(j.Files); len(got) != 3 || len(openIn(j)) != 1 {
		t.Errorf("%q, open %q; want three signatures, and no provenance", got, openIn(j))
	}
	before := snapshot(t, l.dir)
	if err := l.Sign(ctx, packedOf(t, l, r), releaseKey(t)); err != nil || !maps.Equal(snapshot(t, l.dir), before) {
		t.Errorf("signed again: %v, want the same files", err)
	}
}

// A release key signs no file as it is that could be something else.
func TestAttachRefuses(t *testing.T) {
	r := cutApp(t, "1.0", 1)
	r.Images["app"] = append([]byte("D"), r.Images["app"][1:]...)
	if _, err := Attach(r, About{}, releaseKey(t)); err == nil {
		t.Error("signed as it is: what begins like an envelope")
	}
}

// What one of the keys has signed and what says something else is refused; what
// strangers say is left open.
func TestJudge(t *testing.T) {
	r, other := cutApp(t, "1.0", 1), cutApp(t, "1.1", 2)
	of := func(r *release.Release, name string) Attachment {
		all := attachedTo(t, r)
		return all[slices.IndexFunc(all, func(a Attachment) bool { return a.Name == name })]
	}
	with := func(a Attachment, change func(*Attachment)) Attachment {
		change(&a)
		return a
	}
	stranger, err := Attach(r, aboutOf(t, r), otherKey(t))
	if err != nil {
		t.Fatal(err)
	}
	sbom := of(r, sbomFile)
	another := with(sbom, func(a *Attachment) { a.Data = []byte(`{"bomFormat":"CycloneDX","specVersion":"1.6"}`) })
	for name, row := range map[string]struct {
		files []Attachment
		fault string // in the error; "": none
		open  int    // findings
	}{
		"all":                    {files: attachedTo(t, r)},
		"nothing":                {open: 2},
		"strangers":              {files: stranger, open: 2 + len(stranger)},
		"all, and strangers":     {files: append(attachedTo(t, r), stranger[:len(stranger)-1]...), open: len(stranger) - 1},
		"no bundle":              {files: []Attachment{{Kind: attest.BundleType, Data: []byte("{}")}}, open: 3},
		"of another kind":        {files: []Attachment{{Kind: "application/spdx+json", Data: []byte("{}")}}, open: 2},
		"another release":        {files: []Attachment{of(other, signedFile)}, fault: `is about another release, "1.1-esp32"`},
		"another's image":        {files: []Attachment{of(other, "app.bin.sigstore.json")}, fault: "which is no file of this release"},
		"another's provenance":   {files: []Attachment{of(other, provenanceFile)}, fault: "is about another release"},
		"another SBOM":           {files: []Attachment{of(r, sbomBundleFile), another}, fault: "is not the SBOM that was signed"},
		"that too":               {files: append(attachedTo(t, r), another), open: 1},
		"an unsigned SBOM":       {files: []Attachment{sbom}, open: 3},
		"a space in the SBOM":    {files: []Attachment{of(r, provenanceFile), of(r, sbomBundleFile), with(sbom, func(a *Attachment) { a.Data = append([]byte(" "), a.Data...) })}, fault: "is not the SBOM"},
		"no SBOM":                {files: []Attachment{of(r, provenanceFile), of(r, signedFile)}, open: 1},
		"an annotation":          {files: []Attachment{with(of(r, provenanceFile), func(a *Attachment) { a.Annotations[ocispec.AnnotationRevision] = "other" })}, fault: `annotation org.opencontainers.image.revision is "other"`},
		"an annotation's kind":   {files: []Attachment{with(of(r, signedFile), func(a *Attachment) { a.Annotations[annotationPredicate] = attest.CycloneDX })}, fault: "annotation dev.sigstore.bundle.predicateType"},
		"a forged signature":     {files: []Attachment{with(of(r, signedFile), badSignature)}, fault: "not a signature by key"},
		"a forged statement":     {files: []Attachment{with(of(r, provenanceFile), func(a *Attachment) { a.Data = swapPayload(t, a.Data, of(r, signedFile).Data) })}, fault: "not a signature by key"},
		"a word of another kind": {files: []Attachment{saidBy(t, r, "https://example.org/a", "{}")}, open: 3},
		"a provenance of others": {files: []Attachment{saidBy(t, r, attest.Provenance, "{}")}, fault: "provenance: build type"},
		"no SBOM, though signed": {files: []Attachment{saidBy(t, r, attest.CycloneDX, "{}")}, fault: "bomFormat"},
	} {
		j, err := Judge(r, manifestOf(t, r), row.files, []cose.Key{releaseKey(t).Key()})
		switch {
		case row.fault != "" && (err == nil || !strings.Contains(err.Error(), row.fault)):
			t.Errorf("%s: %v, want %s", name, err, row.fault)
		case row.fault == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case row.fault == "" && len(openIn(j)) != row.open:
			t.Errorf("%s: open %q, want %d", name, openIn(j), row.open)
		}
	}
}

func manifestOf(t testing.TB, r *release.Release) fleet.Digest {
	t.Helper()
	p, err := pack(r)
	if err != nil {
		t.Fatal(err)
	}
	return digestOf(p.entry)
}

// saidBy is a statement that the release key has signed about r.
func saidBy(t testing.TB, r *release.Release, kind, predicate string) Attachment {
	t.Helper()
	d, err := attest.OfStatement(attest.Statement{Subjects: subjectsOf(r, manifestOf(t, r)), PredicateType: kind, Predicate: json.RawMessage(predicate)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Sign(releaseKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return Attachment{Name: "said", Kind: attest.BundleType, Data: text}
}

func badSignature(a *Attachment) {
	a.Data = bytes.Replace(a.Data, []byte(`"sig":"ME`), []byte(`"sig":"MF`), 1)
}

// swapPayload puts the payload of one bundle under the signature of another.
func swapPayload(t testing.TB, bundle, other []byte) []byte {
	t.Helper()
	payload := func(text []byte) []byte {
		_, rest, ok := bytes.Cut(text, []byte(`"payload":"`))
		p, _, closed := bytes.Cut(rest, []byte(`"`))
		if !ok || !closed {
			t.Fatalf("no payload in %s", text)
		}
		return p
	}
	return bytes.Replace(bundle, payload(bundle), payload(other), 1)
}

// A folder has everything, and is read as it was written.
func TestFolder(t *testing.T) {
	l, r := newLayout(t), cutApp(t, "1.0", 1, "mcu")
	if err := l.Store(context.Background(), r, attachedTo(t, r)...); err != nil {
		t.Fatal(err)
	}
	whole, err := l.Load(context.Background(), r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	files := Folder(whole, packedOf(t, l, r), judgeStored(t, l, r).Files)
	if len(files) != 12 {
		t.Errorf("files %q, want 12", slices.Sorted(maps.Keys(files)))
	}
	for name, data := range files {
		if limit := InFolder(name); int64(len(data)) > limit {
			t.Errorf("%s: %d bytes, and read are at most %d", name, len(data), limit)
		}
	}
	for _, without := range []string{"README", packedFile} {
		delete(files, without)
		got, d, attached, err := ReadFolder(files)
		if err != nil {
			t.Fatal(err)
		}
		wantDigest, wantOpen := manifestOf(t, r), 0
		if without == packedFile { // then nobody knows what the image is packed as
			wantDigest, wantOpen = fleet.Digest{}, 1
		}
		if g, w := dump(t, got), dump(t, whole); d != wantDigest || without != packedFile && g != w {
			t.Errorf("without %s: %s\ngot  %s\nwant %s", without, d, g, w)
		}
		j, err := Judge(got, d, attached, []cose.Key{releaseKey(t).Key()})
		if err != nil || len(openIn(j)) != wantOpen {
			t.Errorf("without %s: open %q, %v", without, openIn(j), err)
		}
	}
	if InFolder("release.pub") != 0 || InFolder("../manifest.cose") != 0 {
		t.Error("other files are looked at")
	}
}

func TestReadFolderRefuses(t *testing.T) {
	r := cutApp(t, "1.0", 1)
	p, err := pack(r)
	if err != nil {
		t.Fatal(err)
	}
	packed := p.blobs[len(p.blobs)-1].data
	for name, files := range map[string]map[string][]byte{
		"nothing":                {},
		"no manifest":            {statementFile: []byte("manifest")},
		"another image manifest": {statementFile: cutApp(t, "1.1", 2).Signed, packedFile: packed},
		"no image manifest":      {statementFile: r.Signed, packedFile: []byte("{}")},
		"an annotation":          {statementFile: r.Signed, packedFile: bytes.Replace(packed, []byte(`"1.0"`), []byte(`"1.1"`), 1)},
	} {
		if _, _, _, err := ReadFolder(files); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzReadFolder(f *testing.F) {
	r := cutApp(f, "1.0", 1)
	p, err := pack(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.Signed, p.blobs[len(p.blobs)-1].data)
	f.Fuzz(func(t *testing.T, signed, packed []byte) {
		r, d, _, err := ReadFolder(map[string][]byte{statementFile: signed, packedFile: packed})
		if err == nil && (r.Digest != fleet.Sum(signed) || d != fleet.Sum(packed)) {
			t.Errorf("read %s packed by %s", r.Digest, d)
		}
	})
}
