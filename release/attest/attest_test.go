package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/dsse"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
)

// newKey makes a release key that is always the same for one n.
func newKey(t testing.TB, n byte) sign.Release {
	t.Helper()
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	k, err := sign.NewRelease(private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var image = append([]byte{imageMagic}, "an image"...)

func ofFile(t testing.TB) []byte {
	t.Helper()
	d, err := OfFile(image)
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, d)
}

func ofStatement(t testing.TB, kind, predicate string) []byte {
	t.Helper()
	d, err := OfStatement(Statement{
		Subjects:      []Subject{{"1.0-esp32", fleet.Sum([]byte("one"))}, {"app.bin", fleet.Sum(image)}},
		PredicateType: kind, Predicate: json.RawMessage(predicate),
	})
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, d)
}

func signed(t testing.TB, d Draft) []byte {
	t.Helper()
	text, err := d.Sign(newKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The form is frozen: a key in memory gives these bytes, today and later.
func TestGolden(t *testing.T) {
	const file = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"HINT"}},` +
		`"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"DIGEST"},"signature":"SIGNATURE"}}`
	id, digest := newKey(t, 1).Key().ID(), fleet.Sum(image)
	got := ofFile(t)
	b, err := ReadBundle(got)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	want := strings.NewReplacer("HINT", encode(id[:]), "DIGEST", encode(digest[:]), "SIGNATURE", encode(b.signature)).Replace(file)
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again := ofFile(t); !bytes.Equal(got, again) {
		t.Errorf("signed twice: %s\nand %s", got, again)
	}
	payload := ofStatement(t, Signed, `{ "a" : 1 }`)
	var f bundleFile
	if err := json.Unmarshal(payload, &f); err != nil {
		t.Fatal(err)
	}
	const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[` +
		`{"name":"1.0-esp32","digest":{"sha256":"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"}},` +
		`{"name":"app.bin","digest":{"sha256":"DIGEST"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{ "a" : 1 }}`
	if want := strings.Replace(statement, "DIGEST", digest.Hex(), 1); string(f.Envelope.Payload) != want {
		t.Errorf("got  %s\nwant %s", f.Envelope.Payload, want)
	}
}

// sigstore's own verifiers take what is made here, and nothing else.
func TestSigstoreVerifies(t *testing.T) {
	v, err := sign.Verifier(newKey(t, 1).Key())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadBundle(ofFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.VerifySignature(bytes.NewReader(b.signature), bytes.NewReader(image)); err != nil {
		t.Error(err)
	}
	var f bundleFile
	if err := json.Unmarshal(ofStatement(t, Signed, "{}"), &f); err != nil {
		t.Fatal(err)
	}
	if err := verifyEnvelope(t, v, f.Envelope); err != nil {
		t.Error(err)
	}
	f.Envelope.Payload[20] ^= 1
	if verifyEnvelope(t, v, f.Envelope) == nil {
		t.Error("sigstore takes another payload")
	}
}

func verifyEnvelope(t *testing.T, v signature.Verifier, e *envelope) error {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return dsse.WrapVerifier(v).VerifySignature(bytes.NewReader(text), nil)
}

func TestVerify(t *testing.T) {
	for name, text := range map[string][]byte{"file": ofFile(t), "statement": ofStatement(t, Signed, "{}")} {
		b, err := ReadBundle(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Verify(newKey(t, 1).Key()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Verify(newKey(t, 2).Key()); !errors.Is(err, cose.Untrusted) {
			t.Errorf("%s: another key: %v", name, err)
		}
		// The hint says the other key, the signature is the first one's.
		forged := *b
		forged.Key = newKey(t, 2).Key().ID()
		if err := forged.Verify(newKey(t, 2).Key()); !errors.Is(err, cose.Forged) {
			t.Errorf("%s: another hint: %v", name, err)
		}
		forged = *b
		forged.Digest[0] ^= 1
		if err := forged.Verify(newKey(t, 1).Key()); !errors.Is(err, cose.Forged) {
			t.Errorf("%s: another digest: %v", name, err)
		}
	}
}

// A release key that signs files as they are cannot be led to sign a manifest or an
// envelope in one of them.
func TestSignsNoOtherFiles(t *testing.T) {
	toBeSigned := []byte("\x84\x6aSignature1")
	for name, file := range map[string][]byte{
		"nothing": nil, "Sig_structure": toBeSigned, "envelope": preAuthentication([]byte("{}")), "MCUboot image": {0x3d, 0xb8, 0xf3, 0x96},
	} {
		if _, err := OfFile(file); err == nil {
			t.Errorf("%s: drafted", name)
		}
	}
	if _, err := OfFile([]byte{signedMagic, 0x84}); err != nil {
		t.Error(err)
	}
}

// A signature from elsewhere is looked at before it is used.
func TestComplete(t *testing.T) {
	d, err := OfFile(image)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	der, err := private.Sign(rand.Reader, d.Digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Complete(newKey(t, 1).Key(), der); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"another key": second(d.Complete(newKey(t, 2).Key(), der)),
		"no DER":      second(d.Complete(newKey(t, 1).Key(), der[1:])),
		"nothing":     second(d.Complete(newKey(t, 1).Key(), nil)),
	} {
		if !errors.Is(err, cose.Forged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ []byte, err error) error { return err }

func TestReadBundleRefuses(t *testing.T) {
	file, statement := string(ofFile(t)), string(ofStatement(t, Signed, "{}"))
	change := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	if _, err := ReadBundle([]byte(strings.ReplaceAll(file, ",", " ,\n"))); err != nil {
		t.Errorf("with spaces, as cosign writes them: %v", err)
	}
	payload := func(text string) string {
		var f bundleFile
		if err := json.Unmarshal([]byte(statement), &f); err != nil {
			t.Fatal(err)
		}
		f.Envelope.Payload = []byte(text)
		out, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for name, text := range map[string]string{
		"nothing":        "",
		"trailing":       file + "{}",
		"too long":       file + strings.Repeat(" ", MaxBundle),
		"other version":  change(file, "v0.3", "v0.2"),
		"certificate":    change(file, `"publicKey":{`, `"certificate":{},"publicKey":{`),
		"log entry":      change(file, `"publicKey":{`, `"tlogEntries":[],"publicKey":{`),
		"twice":          change(file, `"mediaType"`, `"mediaType":"","mediaType"`),
		"another case":   change(file, `"mediaType"`, `"MediaType"`),
		"short hint":     change(file, `"hint":"`, `"hint":"AAAA","a":"`),
		"hint no base64": change(file, `"hint":"`, `"hint":"!`),
		"SHA-512":        change(file, "SHA2_256", "SHA2_512"),
		"short digest":   change(file, `"digest":"`, `"digest":"AAAA`),
		"both":           change(file, `"messageSignature"`, `"dsseEnvelope":{"payload":"","payloadType":"","signatures":[]},"messageSignature"`),
		"neither":        file[:strings.Index(file, `,"messageSignature"`)] + "}",
		"other payload":  change(statement, "vnd.in-toto+json", "json"),
		"unsigned":       statement[:strings.Index(statement, `[{"sig"`)] + "[]}}",
		"no statement":   payload("{}"),
		"old statement":  payload(`{"_type":"https://in-toto.io/Statement/v0.0","subject":[{"digest":{"sha256":"` + strings.Repeat("0", 64) + `"}}]}`),
		"no subject":     payload(`{"_type":"https://in-toto.io/Statement/v1","subject":[]}`),
		"short subject":  payload(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"00"}}]}`),
		"many subjects":  payload(`{"_type":"https://in-toto.io/Statement/v1","subject":[{}` + strings.Repeat(",{}", maxSubjects) + `]}`),
		"no JSON":        payload("statement"),
	} {
		if _, err := ReadBundle([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func newCut() Cut {
	return Cut{
		Version: "1.0", Hardware: "esp32", Source: "https://git.example.org/door.git", Revision: "8f2c41d0",
		Builder: "tcpboot:site:lab", Tool: "1.2.0", Done: time.Unix(1700000000, 0).UTC(),
		Image: fleet.Sum(image), SBOM: fleet.Sum([]byte("{}")),
		About:  espimage.Descriptor{Project: "door", Version: "v1-3-g8f2c41d-dirty", IDF: "v5.3.1", ELF: fleet.Sum([]byte("elf"))},
		Others: []Subject{{"mcu.bin", fleet.Sum([]byte("mcu"))}},
	}
}

func TestProvenance(t *testing.T) {
	least := Cut{Version: "1.0", Hardware: "esp32", Builder: "a:b", Done: time.Unix(0, 0).UTC(), Image: fleet.Sum(image)}
	for name, c := range map[string]Cut{"everything": newCut(), "least": least} {
		text, err := c.Predicate()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadProvenance(text)
		again, errAgain := got.Predicate()
		if err != nil || errAgain != nil || !bytes.Equal(again, text) {
			t.Errorf("%s: %v, %v\n%s\n%s", name, err, errAgain, text, again)
		}
	}
	text, err := newCut().Predicate()
	if err != nil {
		t.Fatal(err)
	}
	const want = `"externalParameters":{"version":"1.0","hardware":"esp32","source":"https://git.example.org/door.git","revision":"8f2c41d0"}`
	if !bytes.Contains(text, []byte(want)) || !bytes.Contains(text, []byte(`"finishedOn":"2023-11-14T22:13:20Z"`)) {
		t.Errorf("%s", text)
	}
}

// What an image says of itself is anything.
func TestProvenanceOfRubbish(t *testing.T) {
	c := newCut()
	c.About.Project, c.About.IDF = "\x1b[2J", strings.Repeat("x", maxText+1)
	text, err := c.Predicate()
	if err != nil || bytes.Contains(text, []byte(`"project"`)) || bytes.Contains(text, []byte(`"idf"`)) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestCutCheck(t *testing.T) {
	for name, change := range map[string]func(*Cut){
		"no builder":       func(c *Cut) { c.Builder = "" },
		"builder no URI":   func(c *Cut) { c.Builder = "ci" },
		"password":         func(c *Cut) { c.Source = "https://me:secret@git.example.org/door" },
		"source no URL":    func(c *Cut) { c.Source = "x" },
		"source of scp":    func(c *Cut) { c.Source = "me:secret@git.example.org:door" },
		"line in source":   func(c *Cut) { c.Source = "a\nb" },
		"long revision":    func(c *Cut) { c.Revision = "8f2c41d" + strings.Repeat("0", maxText) },
		"another revision": func(c *Cut) { c.Revision = "1234567890" },
	} {
		c := newCut()
		change(&c)
		err := c.Check()
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDescribedCommit(t *testing.T) {
	for version, want := range map[string]string{
		"v1.4.0-3-g8f2c41d": "8f2c41d", "v1.4.0-3-g8f2c41d-dirty": "8f2c41d", "a-g1-g8f2c41d0": "8f2c41d0",
		"1.4.0": "", "": "", "-g": "", "v1-gamma": "", "v1-3-g8f2c4": "", "8f2c41d": "",
	} {
		if got := describedCommit(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

func TestReadProvenanceRefuses(t *testing.T) {
	text, err := newCut().Predicate()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"another build":  {"cut/v1", "cut/v2"},
		"field more":     {`"builder":{`, `"builder":{"a":1,`},
		"short digest":   {`"sha256":"`, `"sha256":"0`},
		"builder no URI": {"tcpboot:site:lab", "lab"},
		"spaces":         {`{"buildDefinition"`, `{ "buildDefinition"`},
		"another commit": {`"revision":"8f2c41d0"`, `"revision":"00"`},
	} {
		other := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(other, text) {
			t.Fatalf("%s: no %s in %s", name, change[0], text)
		}
		if _, err := ReadProvenance(other); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestReadSBOM(t *testing.T) {
	s, err := ReadSBOM([]byte(" {\"bomFormat\":\"CycloneDX\", \"specVersion\":\"1.6\",\"components\":[{},{\"name\":\"a\"}]}\n"))
	if err != nil || s.Version != "1.6" || s.Components != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if got := string(s.Predicate()); !strings.HasPrefix(got, "{") || !strings.HasSuffix(got, "}") {
		t.Errorf("predicate %q", got)
	}
	for name, text := range map[string]string{
		"nothing":        "",
		"list":           "[]",
		"XML":            `<bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>`,
		"other format":   `{"bomFormat":"SPDX","specVersion":"1.5"}`,
		"other case":     `{"BomFormat":"CycloneDX","specVersion":"1.5"}`,
		"no version":     `{"bomFormat":"CycloneDX"}`,
		"version 2":      `{"bomFormat":"CycloneDX","specVersion":"2.0"}`,
		"number":         `{"bomFormat":"CycloneDX","specVersion":1.5}`,
		"twice":          `{"bomFormat":"CycloneDX","specVersion":"1.5","specVersion":"1.4"}`,
		"trailing":       `{"bomFormat":"CycloneDX","specVersion":"1.5"}{}`,
		"cut off":        `{"bomFormat":"CycloneDX","specVersion":"1.5"`,
		"cut off inside": `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[`,
		"components":     `{"bomFormat":"CycloneDX","specVersion":"1.5","components":{}}`,
		"UTF-16":         "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"a\":\"\xff\"}",
		"too long":       `{"bomFormat":"CycloneDX","specVersion":"1.5"}` + strings.Repeat(" ", MaxSBOM),
	} {
		if _, err := ReadSBOM([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// The largest SBOM fits into a bundle that can be read.
func TestLargestSBOM(t *testing.T) {
	head := `{"bomFormat":"CycloneDX","specVersion":"1.5","a":"`
	text := head + strings.Repeat("a", MaxSBOM-len(head)-2) + `"}`
	s, err := ReadSBOM([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadBundle(ofStatement(t, CycloneDX, string(s.Predicate())))
	if err != nil || string(b.Statement.Predicate) != text {
		t.Errorf("%v, want the same %d bytes", err, MaxSBOM)
	}
}

func FuzzReadBundle(f *testing.F) {
	f.Add(ofFile(f))
	f.Add(ofStatement(f, Signed, "{}"))
	key := newKey(f, 1).Key()
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ReadBundle(text)
		if err == nil && b.Verify(key) == nil && b.Statement == nil && b.Digest != fleet.Sum(image) {
			t.Errorf("signed %s", b.Digest)
		}
	})
}

func FuzzReadProvenance(f *testing.F) {
	text, err := newCut().Predicate()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(text))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ReadProvenance(text)
		if err != nil {
			return
		}
		if again, err := c.Predicate(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s, %v", again, err)
		}
	})
}

func FuzzReadSBOM(f *testing.F) {
	f.Add([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ReadSBOM(text)
		if err != nil {
			return
		}
		if payload, err := (Statement{PredicateType: CycloneDX, Predicate: s.Predicate()}).encode(); err != nil || !json.Valid(payload) {
			t.Errorf("%s, %v", payload, err)
		}
	})
}
