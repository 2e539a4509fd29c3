package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

type file struct {
	name, text string
	mode       fs.FileMode
}

var some = []file{
	{"tcpboot.yaml", "name: lab\n", 0o640},
	{"keys/boards-ca.pem", "secret", 0o600},
	{"empty", "", 0o644},
	{"releases/blobs/sha256/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", strings.Repeat("x", 100_000), 0o644},
}

func write(t testing.TB, to age.Recipient, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := w.Add(File{f.name, f.mode, int64(len(f.text))}, strings.NewReader(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns the files of a backup up to its end, or what is wrong with it.
func read(r *Reader, err error) (files []file, _ error) {
	for err == nil {
		var f File
		if f, err = r.Next(); err != nil {
			break
		}
		var text []byte
		text, err = io.ReadAll(r)
		files = append(files, file{f.Name, string(text), f.Mode})
	}
	if errors.Is(err, io.EOF) {
		return files, nil
	}
	return files, err
}

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRoundTrip(t *testing.T) {
	id := identity(t)
	whole := write(t, id.Recipient(), some...)
	got, err := read(NewReader(bytes.NewReader(whole), id))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(some) {
		t.Errorf("got %.200v, %v", got, err)
	}
	if got, err := read(NewReader(bytes.NewReader(write(t, id.Recipient())), id)); err != nil || len(got) != 0 {
		t.Errorf("without files: %v, %v", got, err)
	}
	r, err := NewReader(bytes.NewReader(whole), id) // files may be passed over
	for n := 0; err == nil; n++ {
		if _, err = r.Next(); errors.Is(err, io.EOF) && n != len(some) {
			t.Errorf("%d files, want %d", n, len(some))
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := NewReader(bytes.NewReader(whole), identity(t)); !errors.As(err, new(*age.NoIdentityMatchError)) {
		t.Errorf("by another identity: %v", err)
	}
}

// TestTarReadsIt lets others get at the files.
func TestTarReadsIt(t *testing.T) {
	id := identity(t)
	plain, err := age.Decrypt(bytes.NewReader(write(t, id.Recipient(), some...)), id)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("tar", "--extract", "--directory", dir)
	cmd.Stdin = plain
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	cmd = exec.Command("sha256sum", "--check", "--strict", sumsFile)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Count(out, []byte(": OK\n")) != len(some) {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	if _, err := filepath.Glob(filepath.Join(dir, "keys")); err != nil {
		t.Error(err)
	}
}

// TestDamage cuts a backup off at every place, and changes every byte.
func TestDamage(t *testing.T) {
	id := identity(t)
	whole := write(t, id.Recipient(), some[:3]...)
	for n := range whole {
		if _, err := read(NewReader(bytes.NewReader(whole[:n]), id)); err == nil {
			t.Fatalf("cut off after %d bytes: no error", n)
		}
	}
	for n := 0; n < len(whole); n += 7 {
		bad := bytes.Clone(whole)
		bad[n] ^= 1
		if _, err := read(NewReader(bytes.NewReader(bad), id)); err == nil {
			t.Fatalf("byte %d changed: no error", n)
		}
	}
	if _, err := read(NewReader(bytes.NewReader(append(bytes.Clone(whole), 0)), id)); err == nil {
		t.Error("a byte more: no error")
	}
	big := write(t, id.Recipient(), some...)
	big[len(big)-20_000] ^= 1
	if _, err := read(NewReader(bytes.NewReader(big), id)); err == nil || !strings.Contains(err.Error(), some[3].name) {
		t.Errorf("a changed file is not named: %v", err)
	}
}

// What never was a backup is called so.
func TestNoBackup(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "text": "rubbish\n", "bytes": strings.Repeat("\x00\xff", 1000), "armored": "-----BEGIN AGE ENCRYPTED FILE-----\n",
	} {
		if _, err := NewReader(strings.NewReader(text), identity(t)); err == nil || !strings.HasPrefix(err.Error(), "no backup: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	for _, f := range []File{
		{"", 0o600, 1}, {".", 0o600, 1}, {"..", 0o600, 1}, {"../x", 0o600, 1}, {"a/../../x", 0o600, 1}, {"/etc/x", 0o600, 1},
		{"a//b", 0o600, 1}, {"./a", 0o600, 1}, {"a/", 0o600, 1}, {`a\b`, 0o600, 1}, {"a\nb", 0o600, 1}, {"ä", 0o600, 1}, {"a\x00b", 0o600, 1},
		{"SHA256SUMS", 0o600, 1}, {"twice", 0o600, 1}, {"x", 0o666, 1}, {"x", 0o620, 1}, {"x", 0o600 | fs.ModeSetuid, 1},
		{"x", 0o600, 2}, {"x", 0o600, 0}, {"x", 0o600, -1}, {strings.Repeat("x", 300), 0o600, 1}, {"huge", 0o600, 8 << 30},
	} {
		w, err := NewWriter(io.Discard, identity(t).Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(File{"twice", 0o600, 1}, strings.NewReader("1")); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(f, strings.NewReader("1")); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
}

// archive is a tar archive with any headers, closed by the right sums of what is
// in it, and what comes behind.
func archive(t testing.TB, change func(*tar.Header), behind string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	s := newSums()
	put := func(h tar.Header, text string) {
		h.Size = int64(len(text))
		if h.Typeflag != tar.TypeReg {
			h.Size, text = 0, ""
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		s.hash.Write([]byte(text))
		s.finish(h.Name)
	}
	h := tar.Header{Typeflag: tar.TypeReg, Format: tar.FormatUSTAR, Name: "a/b", Mode: 0o600, ModTime: time.Unix(0, 0)}
	evil := h
	put(h, "first")
	evil.Name = "c"
	change(&evil)
	put(evil, "second")
	h.Name = sumsFile
	put(h, s.text.String())
	if behind != "" {
		h.Name = behind
		put(h, "behind")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var attacks = map[string]func(*tar.Header){
	"nothing":       func(*tar.Header) {},
	"traversal":     func(h *tar.Header) { h.Name = "../../etc/passwd" },
	"absolute":      func(h *tar.Header) { h.Name = "/etc/passwd" },
	"dots":          func(h *tar.Header) { h.Name = "a/./b" },
	"twice":         func(h *tar.Header) { h.Name = "a/b" },
	"the sums":      func(h *tar.Header) { h.Name = sumsFile },
	"symbolic link": func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc/passwd" },
	"hard link":     func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeLink, "a/b" },
	"device":        func(h *tar.Header) { h.Typeflag, h.Devmajor = tar.TypeBlock, 8 },
	"pipe":          func(h *tar.Header) { h.Typeflag = tar.TypeFifo },
	"folder":        func(h *tar.Header) { h.Typeflag, h.Name = tar.TypeDir, "d/" },
	"set user ID":   func(h *tar.Header) { h.Mode = 0o4755 },
	"writable":      func(h *tar.Header) { h.Mode = 0o666 },
	"owner":         func(h *tar.Header) { h.Uid = 1000 },
	"owner's name":  func(h *tar.Header) { h.Uname = "root" },
	"time":          func(h *tar.Header) { h.ModTime = time.Unix(1, 0) },
	"pax":           func(h *tar.Header) { h.Format, h.PAXRecords = tar.FormatPAX, map[string]string{"X.y": "z"} },
	"gnu":           func(h *tar.Header) { h.Format = tar.FormatGNU },
}

func TestAttacks(t *testing.T) {
	for name, change := range attacks {
		_, err := read(newReader(bytes.NewReader(archive(t, change, ""))), nil)
		if (err == nil) != (name == "nothing") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string][]byte{
		"a file behind the sums": archive(t, attacks["nothing"], "d"),
		"more behind the end":    append(archive(t, attacks["nothing"], ""), "x"...),
		"empty":                  nil,
		"no archive":             bytes.Repeat([]byte("x"), 2048),
		"no sums":                make([]byte, 1024),
		"another file":           bytes.Replace(archive(t, attacks["nothing"], ""), []byte("second"), []byte("SECOND"), 1),
	} {
		if _, err := read(newReader(bytes.NewReader(text)), nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, err := read(newReader(bytes.NewReader(bytes.Replace(archive(t, attacks["nothing"], ""), []byte("first"), []byte("FIRST"), 1))), nil)
	if err == nil || err.Error() != "backup: a/b: not as SHA256SUMS says: damaged" {
		t.Errorf("a changed file: %v", err)
	}
}

// FuzzReader wants every file that is read to be one that may be in a backup, and
// what is read whole to be written again.
func FuzzReader(f *testing.F) {
	for _, change := range attacks {
		f.Add(archive(f, change, ""))
	}
	id := identity(f)
	f.Fuzz(func(t *testing.T, plain []byte) {
		files, err := read(newReader(bytes.NewReader(plain)), nil)
		for _, f := range files {
			if !filepath.IsLocal(f.name) || f.mode&^0o755 != 0 {
				t.Errorf("%q, %v", f.name, f.mode)
			}
		}
		if err == nil {
			write(t, id.Recipient(), files...)
		}
	})
}
