package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/release/mcuboot"
)

// mcubootVectors are images that the real tool made.
const mcubootVectors = "../../release/mcuboot/testdata"

// cmdVectors lays down the vectors of MCUboot, with their keys:  vectors
func cmdVectors(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: vectors")
	}
	ts.Check(os.CopyFS(ts.MkAbs("."), os.DirFS(mcubootVectors)))
}

type mcubootManifest struct {
	Images []struct {
		File, Args, Plain string
		SignKey           string `json:"sign_key"`
		EncKey            string `json:"enc_key"`
	}
	Negatives []struct {
		File       string
		MadeFrom   string `json:"made_from"`
		Bootloader struct{ Result string }
	}
}

func readManifest(t *testing.T) (m mcubootManifest) {
	t.Helper()
	text, err := os.ReadFile("manifest.json")
	if err := errors.Join(err, json.Unmarshal(text, &m)); err != nil {
		t.Fatal(err)
	}
	return m
}

// tcpboot runs the command and returns its exit status and what it said.
func tcpboot(args ...string) (status int, said string) {
	var out, stderr bytes.Buffer
	status = run(append([]string{"tcpboot"}, args...), strings.NewReader(""), &out, &stderr)
	return status, out.String() + stderr.String()
}

// Each vector is judged as its manifest says.
func TestMCUbootVerdicts(t *testing.T) {
	t.Chdir(mcubootVectors)
	m := readManifest(t)
	keys := map[string][]string{} // flags, by image
	for _, v := range m.Images {
		var flags []string
		if v.SignKey != "" {
			flags = append(flags, "--key", "keys/"+v.SignKey+".pub.pem")
		}
		if v.EncKey != "" {
			flags = append(flags, "--decrypt-key", "keys/"+v.EncKey)
		}
		keys[v.File] = flags
		want := exitDone
		if v.Plain == "" { // no image
			want = exitFailed
		}
		verdictOf(t, want, v.File, flags...)
		if v.EncKey != "" && v.File != "e06-ec256-clear.bin" {
			verdictOf(t, exitFailed, v.File)
			verdictOf(t, exitFailed, v.File, flags[:2]...)
			verdictOf(t, exitFailed, v.File, append(flags[:2:2], "--decrypt-key", "keys/ec256-other.pem")...)
		}
		verdictOf(t, exitFailed, v.File, "--key", "keys/ec256-other.pub.pem")
	}
	for _, v := range m.Negatives {
		want := exitFailed
		if v.Bootloader.Result == "accept" {
			want = exitDone
		}
		verdictOf(t, want, v.File, keys[v.MadeFrom]...)
	}
}

func verdictOf(t *testing.T, want int, file string, flags ...string) {
	t.Helper()
	if got, said := tcpboot(append([]string{"release", "mcuboot", "verify", file}, flags...)...); got != want {
		t.Errorf("%s %v: exit status %d, want %d\n%s", file, flags, got, want, said)
	}
}

var twoWords = regexp.MustCompile(`--custom-tlv (\S+) (\S+)`)

// The command lines that people have, with which the vectors were made, work here
// and give the same bytes. What is random is taken from the vector: the signature;
// of encrypted ones only the size is compared.
func TestMCUbootCommandLines(t *testing.T) {
	t.Chdir(mcubootVectors)
	dir, made := t.TempDir(), 0
	for _, v := range readManifest(t).Images {
		if v.Args == "" {
			continue
		}
		made++
		want, err := os.ReadFile(v.File)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, v.File)
		args := strings.Fields(strings.ReplaceAll(twoWords.ReplaceAllString(v.Args, "--custom-tlv $1=$2"), `"`, ""))
		args = append([]string{"release", "mcuboot"}, append(args[:len(args)-1], "--out", out)...)
		args = without(args, "--sig-out")
		args = renamed(args, "--fix-sig-pubkey", "--key")
		switch {
		case v.Plain == "":
		case v.SignKey == "":
			args = append(args, "--unsigned")
		case v.EncKey == "" && !slices.Contains(args, "--fix-sig"):
			args = append(args, "--signature", signatureFile(t, v.File, dir))
		}
		if status, said := tcpboot(args...); status != exitDone {
			t.Errorf("%s: exit status %d\n%s", v.File, status, said)
			continue
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		// A DER signature is some bytes longer or shorter.
		if similar := max(len(got)-len(want), len(want)-len(got)) <= 4; v.EncKey != "" && similar {
			verdictOf(t, exitDone, out, "--key", "keys/"+v.SignKey+".pem", "--decrypt-key", "keys/"+v.EncKey)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: other bytes than the vector's: %d, want %d", v.File, len(got), len(want))
		}
	}
	if made != 39 {
		t.Errorf("%d vectors were made again", made)
	}
}

// without drops a flag with its value.
func without(args []string, flag string) []string {
	if i := slices.Index(args, flag); i >= 0 {
		return slices.Delete(args, i, i+2)
	}
	return args
}

func renamed(args []string, flag, name string) []string {
	if i := slices.Index(args, flag); i >= 0 {
		args[i] = name
	}
	return args
}

// signatureFile takes the signature out of an image.
func signatureFile(t *testing.T, file, dir string) string {
	t.Helper()
	image, err := readMemory(file)
	if err != nil {
		t.Fatal(err)
	}
	im, err := mcuboot.Parse(image.bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, tlv := range im.Unprotected {
		if tlv.Type < 0x20 || tlv.Type > 0x24 {
			continue
		}
		value := tlv.Value
		if tlv.Type == 0x22 { // DER; zeros may follow
			value = value[:2+int(value[1])]
		}
		path := filepath.Join(dir, "signature")
		if err := os.WriteFile(path, value, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Fatalf("%s: no signature", file)
	return ""
}

// Every kind of key file signs, and the PEM of each opens.
func TestMCUbootKeyFiles(t *testing.T) {
	dir := t.TempDir()
	openssl := func(args ...string) {
		t.Helper()
		if out, err := openSSL(dir, args...); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	t.Chdir(dir)
	t.Setenv("TCPBOOT_PASSPHRASE_FILE", filepath.Join(dir, "passphrase"))
	for name, text := range map[string]string{"passphrase": "only a test\n", "program": strings.Repeat("a program ", 20)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", "sec1.pem") // with EC PARAMETERS before
	openssl("genrsa", "-traditional", "-out", "pkcs1.pem", "2048")
	openssl("genpkey", "-algorithm", "ed25519", "-out", "ed25519.pem")
	openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-aes256", "-pass", "pass:only a test", "-out", "sealed.pem")
	for _, key := range []string{"sec1.pem", "pkcs1.pem", "ed25519.pem", "sealed.pem"} {
		status, said := tcpboot("release", "mcuboot", "sign", "program", "--key", key, "--version", "1.0.0", "--pad-header", "--out", "image")
		if status != exitDone {
			t.Errorf("%s: exit status %d\n%s", key, status, said)
			continue
		}
		openssl("pkey", "-in", key, "-passin", "pass:only a test", "-pubout", "-out", "public.pem")
		verdictOf(t, exitDone, "image", "--key", "public.pem")
		verdictOf(t, exitDone, "image", "--key", key)
	}
}

// A key is named by the same hash everywhere.
func TestMCUbootSignerID(t *testing.T) {
	t.Chdir(mcubootVectors)
	want, err := os.ReadFile("keys/ec256.keyhash")
	if err != nil {
		t.Fatal(err)
	}
	_, said := tcpboot("release", "mcuboot", "verify", "s03-ec256.bin", "-k", "keys/ec256.pem", "--json")
	if quoted := fmt.Sprintf("%q: %q", "signed_by", hex.EncodeToString(want)); !strings.Contains(said, quoted) {
		t.Errorf("want %s in\n%s", quoted, said)
	}
}

func openSSL(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}
