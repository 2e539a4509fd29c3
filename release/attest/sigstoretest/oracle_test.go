// Package sigstoretest lets sigstore-go judge what the command says of a release.
// It is a module of its own: sigstore-go is heavy, and the product verifies without
// it.
package sigstoretest

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/tcpboot/tcpboot/release/espimage"
)

const sbom = `{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": []}` + "\n"

// A release is what `release files` has laid down.
type release struct {
	*testing.T
	dir string
}

// cut makes a site and a release, by the command.
func cut(t *testing.T) release {
	t.Helper()
	dir := t.TempDir()
	tcpboot := filepath.Join(dir, "tcpboot")
	run(t, "../../..", "go", "build", "-o", tcpboot, "./cmd/tcpboot")
	app := espimage.Build(espimage.Spec{Chip: "esp32", Version: "1.0", Project: "door", Size: 8192})
	for name, data := range map[string][]byte{"app.bin": app, "sbom.json": []byte(sbom), "passphrase": []byte("only a test\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TCPBOOT_PASSPHRASE_FILE", filepath.Join(dir, "passphrase"))
	run(t, dir, tcpboot, "init", "--name", "lab", "--ssid", "lab", "--server", "127.0.0.1:8123", "--recovery-code", "code")
	run(t, dir, tcpboot, "release", "cut", "app.bin", "--version", "1.0", "--sbom", "sbom.json", "--source", "https://git.example.org/door.git")
	run(t, dir, tcpboot, "release", "files", "1.0", "--out", "files")
	return release{t, filepath.Join(dir, "files")}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
}

func (r release) read(name string) []byte {
	r.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.Fatal(err)
	}
	return data
}

// verify asks sigstore-go whether the release's key has signed artifact by a bundle.
func (r release) verify(text, artifact []byte) (*verify.VerificationResult, error) {
	r.Helper()
	public, err := cryptoutils.UnmarshalPEMToPublicKey(r.read("release.pub"))
	if err != nil {
		r.Fatal(err)
	}
	v, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		r.Fatal(err)
	}
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return &root.ExpiringKey{Verifier: v}, nil
	})
	judge, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
	if err != nil {
		r.Fatal(err)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	return judge.Verify(&b, verify.NewPolicy(verify.WithArtifact(bytes.NewReader(artifact)), verify.WithKey()))
}

func TestRelease(t *testing.T) {
	r := cut(t)
	r.bundles(t)
	r.predicates(t)
}

// Each bundle is one of its file, and of no other file.
func (r release) bundles(t *testing.T) {
	for _, row := range []struct{ bundle, file, predicate string }{
		{"app.bin.sigstore.json", "app.bin", ""},
		{"manifest.cose.sigstore.json", "manifest.cose", ""},
		{"release.sigstore.json", "image-manifest.json", "https://sigstore.dev/cosign/sign/v1"},
		{"provenance.sigstore.json", "image-manifest.json", "https://slsa.dev/provenance/v1"},
		{"provenance.sigstore.json", "manifest.cose", "https://slsa.dev/provenance/v1"},
		{"provenance.sigstore.json", "app.bin", "https://slsa.dev/provenance/v1"},
		{"sbom.sigstore.json", "app.bin", "https://cyclonedx.org/bom"},
	} {
		text, artifact := r.read(row.bundle), r.read(row.file)
		result, err := r.verify(text, artifact)
		if err != nil {
			t.Errorf("%s of %s: %v", row.bundle, row.file, err)
			continue
		}
		if row.predicate != "" && result.Statement.GetPredicateType() != row.predicate {
			t.Errorf("%s: predicate %s, want %s", row.bundle, result.Statement.GetPredicateType(), row.predicate)
		}
		if _, err := r.verify(text, append(artifact, 0)); err == nil {
			t.Errorf("%s: taken for another file than %s", row.bundle, row.file)
		}
		for name, change := range tampering {
			if _, err := r.verify(change(t, text), artifact); err == nil {
				t.Errorf("%s: taken with another %s", row.bundle, name)
			}
		}
	}
}

// tampering changes one value of a bundle, wherever it has that.
var tampering = map[string]func(*testing.T, []byte) []byte{
	"signature": func(t *testing.T, text []byte) []byte { return flip(t, text, "signature", "sig") },
	"content":   func(t *testing.T, text []byte) []byte { return flip(t, text, "digest", "payload") },
	"type":      func(t *testing.T, text []byte) []byte { return bytes.Replace(text, []byte("v0.3"), []byte("v9.3"), 1) },
}

// flip changes the middle of the value of one of two names.
func flip(t *testing.T, text []byte, names ...string) []byte {
	t.Helper()
	for _, name := range names {
		head, rest, ok := bytes.Cut(text, []byte(`"`+name+`":"`))
		if !ok {
			continue
		}
		out := bytes.Clone(text)
		i := len(head) + len(name) + 4 + bytes.IndexByte(rest, '"')/2
		out[i] = map[bool]byte{true: 'B', false: 'A'}[out[i] == 'A']
		return out
	}
	t.Fatalf("none of %q in %s", names, text)
	return nil
}

// Who reads the statement with sigstore's own types finds what was said.
func (r release) predicates(t *testing.T) {
	result, err := r.verify(r.read("provenance.sigstore.json"), r.read("app.bin"))
	if err != nil {
		t.Fatal(err)
	}
	definition := result.Statement.GetPredicate().GetFields()["buildDefinition"].GetStructValue().GetFields()
	source := definition["externalParameters"].GetStructValue().GetFields()["source"].GetStringValue()
	if source != "https://git.example.org/door.git" {
		t.Errorf("source %q", source)
	}
	result, err = r.verify(r.read("sbom.sigstore.json"), r.read("app.bin"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(sbom), &want); err != nil {
		t.Fatal(err)
	}
	if got := result.Statement.GetPredicate().AsMap(); got["bomFormat"] != want["bomFormat"] || got["specVersion"] != want["specVersion"] {
		t.Errorf("SBOM %v, want %v", got, want)
	}
	if got := string(r.read("sbom.cdx.json")); got != sbom {
		t.Errorf("SBOM %q, want %q", got, sbom)
	}
	if len(result.Statement.GetSubject()) != 3 || len(hexDigest(t, result.Statement.GetSubject()[0].GetDigest()["sha256"])) != 32 {
		t.Errorf("subjects %v", result.Statement.GetSubject())
	}
}

func hexDigest(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Error(err)
	}
	return b
}
