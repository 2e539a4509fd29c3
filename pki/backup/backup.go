// Package backup is the format of a site's backup: files behind one another in an
// encrypted stream. It takes and returns bytes; what the files are is the
// caller's business.
//
// A backup is an age file (age-encryption.org/v1), not armored. Inside is a tar
// archive (POSIX ustar, and none of its extensions), so that no tcpboot is needed
// to get at the files:
//
//	age --decrypt site.backup | tar --extract --verbose
//
// It holds regular files alone, each by a clean relative path of printable ASCII,
// none twice, with owner 0, time 0 and permissions that let nobody but the owner
// write. The last one is SHA256SUMS, as sha256sum writes it: a line for each file
// before it, in their order,
//
//	9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  tcpboot.yaml
//
// and behind it is nothing. Whoever reads to the end has the whole backup, and
// what was encrypted; who made it is proved only by a passphrase, because anybody
// can encrypt to a recipient.
package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"filippo.io/age"
)

// Bounds on a backup. One file is bounded by ustar, at 8 GiB.
const (
	maxFiles = 1 << 18
	maxSums  = 64 << 20
	sumsFile = "SHA256SUMS"
)

// intro is how an age file begins.
const intro = "age-encryption.org/v1\n"

// A File is one file of a backup.
type File struct {
	Name string // relative, with slashes
	Mode fs.FileMode
	Size int64
}

// A Writer writes a backup. Close completes it.
type Writer struct {
	age  io.WriteCloser
	tar  *tar.Writer
	sums sums
}

// NewWriter begins a backup that each of the recipients can read.
func NewWriter(w io.Writer, to ...age.Recipient) (*Writer, error) {
	encrypted, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return &Writer{age: encrypted, tar: tar.NewWriter(encrypted), sums: newSums()}, nil
}

// Add appends a file, which r must hold exactly as long as f says.
func (w *Writer) Add(f File, r io.Reader) error {
	if err := w.add(f, r); err != nil {
		return fmt.Errorf("backup: %s: %w", f.Name, err)
	}
	return nil
}

func (w *Writer) add(f File, r io.Reader) error {
	if err := w.sums.admit(f); err != nil {
		return err
	}
	if err := w.header(f); err != nil {
		return err
	}
	if _, err := io.CopyN(w.tar, io.TeeReader(r, w.sums.hash), f.Size); err != nil {
		return fmt.Errorf("of %d bytes: %w", f.Size, err)
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 {
		return fmt.Errorf("it grew beyond %d bytes meanwhile", f.Size)
	} else if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	w.sums.finish(f.Name)
	return nil
}

func (w *Writer) header(f File) error {
	return w.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Format: tar.FormatUSTAR, Name: f.Name, Mode: int64(f.Mode.Perm()), Size: f.Size, ModTime: time.Unix(0, 0),
	})
}

// Close completes the backup. It does not close what the Writer writes to.
func (w *Writer) Close() error {
	text := w.sums.text.Bytes()
	err := w.header(File{sumsFile, 0o600, int64(len(text))})
	if err == nil {
		_, err = w.tar.Write(text)
	}
	if err == nil {
		err = w.tar.Close()
	}
	if err == nil {
		err = w.age.Close()
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// A Reader reads a backup, file after file. What a file says counts only when
// Next has returned io.EOF: then the backup is whole.
type Reader struct {
	plain io.Reader
	tar   *tar.Reader
	sums  sums
	name  string // of the present file
	err   error
}

// NewReader begins to read a backup by one of the identities. The error is an
// *age.NoIdentityMatchError when none of them opens it.
func NewReader(r io.Reader, by ...age.Identity) (*Reader, error) {
	in := bufio.NewReader(r)
	begin, err := in.Peek(len(intro))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if string(begin) != intro {
		return nil, errors.New("no backup: it does not begin as an age file does (age-encryption.org/v1)")
	}
	plain, err := age.Decrypt(in, by...)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", unexpected(err))
	}
	return newReader(plain), nil
}

func newReader(plain io.Reader) *Reader {
	return &Reader{plain: plain, tar: tar.NewReader(plain), sums: newSums()}
}

// Next goes on to the next file, the first one at first. After the last it proves
// that the backup is whole, and returns io.EOF.
func (r *Reader) Next() (File, error) {
	if r.err != nil {
		return File{}, r.err
	}
	f, err := r.next()
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("backup: %w", err)
	}
	r.err = err
	return f, err
}

func (r *Reader) next() (f File, err error) {
	if r.name != "" {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return f, err
		}
		r.sums.finish(r.name)
	}
	h, err := r.tar.Next()
	if errors.Is(err, io.EOF) {
		return f, errors.New("cut off: " + sumsFile + " is missing")
	}
	if err != nil {
		return f, fmt.Errorf("after %q: damaged, or cut off: %w", r.name, unexpected(err))
	}
	if f, err = fileOf(h); err != nil {
		return f, err
	}
	if f.Name == sumsFile {
		return f, r.finish(f)
	}
	r.name = f.Name
	return f, r.sums.admit(f)
}

// Read reads the present file.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.tar.Read(p)
	r.sums.hash.Write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: damaged, or cut off: %w", r.name, err)
	}
	return n, err
}

// unexpected keeps the end of a stream that should go on from being taken for one
// that was to come.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// finish compares what was read with SHA256SUMS, and wants nothing behind it.
func (r *Reader) finish(f File) error {
	if f.Size > maxSums {
		return fmt.Errorf("%s: %d bytes: want at most %d", sumsFile, f.Size, maxSums)
	}
	want, err := io.ReadAll(r.tar)
	if err != nil {
		return fmt.Errorf("%s: damaged, or cut off: %w", sumsFile, unexpected(err))
	}
	if err := r.sums.compare(want); err != nil {
		return err
	}
	if h, err := r.tar.Next(); err == nil {
		return fmt.Errorf("%q follows %s", h.Name, sumsFile)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	if n, err := io.ReadFull(r.plain, make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("something follows the archive"), err)
	}
	return io.EOF
}

// fileOf says which file a header begins, or why it may not be in a backup.
func fileOf(h *tar.Header) (File, error) {
	f := File{h.Name, fs.FileMode(h.Mode), h.Size}
	switch {
	case h.Typeflag != tar.TypeReg || h.Linkname != "":
		return f, fmt.Errorf("%q: not a regular file", h.Name)
	case h.Format != tar.FormatUSTAR:
		return f, fmt.Errorf("%q: in another form than ustar", h.Name)
	case h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || h.ModTime.Unix() != 0:
		return f, fmt.Errorf("%q: with an owner or a time", h.Name)
	case h.Mode&^0o777 != 0:
		return f, fmt.Errorf("%q: mode %#o", h.Name, h.Mode)
	}
	return f, nil
}

// sums are the digests of the files so far.
type sums struct {
	names map[string]bool
	hash  hash.Hash // of the present file
	text  bytes.Buffer
}

func newSums() sums { return sums{names: make(map[string]bool), hash: sha256.New()} }

// admit says why a file may not be the next one.
func (s *sums) admit(f File) error {
	switch {
	case !cleanName(f.Name):
		return fmt.Errorf("%q: not a clean path inside of a folder", f.Name)
	case f.Name == sumsFile:
		return fmt.Errorf("%q: the name of the list", f.Name)
	case f.Mode.Perm()&0o022 != 0 || f.Mode&^0o777 != 0:
		return fmt.Errorf("%q: mode %v: others could write to it", f.Name, f.Mode)
	case f.Size < 0:
		return fmt.Errorf("%q: %d bytes", f.Name, f.Size)
	case s.names[f.Name]:
		return fmt.Errorf("%q: twice", f.Name)
	case len(s.names) >= maxFiles:
		return fmt.Errorf("more than %d files", maxFiles)
	}
	s.names[f.Name] = true
	return nil
}

// cleanName reports whether name, with slashes, stays inside of a folder, and is
// the only way to say so.
func cleanName(name string) bool {
	if name == "" || name == "." || path.Clean(name) != name || name[0] == '/' || name == ".." || strings.HasPrefix(name, "../") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' })
}

func (s *sums) finish(name string) {
	fmt.Fprintf(&s.text, "%x  %s\n", s.hash.Sum(nil), name)
	s.hash.Reset()
}

// compare names the first file that is not as the list says.
func (s *sums) compare(want []byte) error {
	got := s.text.Bytes()
	for len(got) > 0 || len(want) > 0 {
		have, moreHave, _ := bytes.Cut(got, []byte("\n"))
		line, more, ended := bytes.Cut(want, []byte("\n"))
		if !bytes.Equal(have, line) || !ended {
			return fmt.Errorf("%s: not as %s says: damaged", lineName(have), sumsFile)
		}
		got, want = moreHave, more
	}
	return nil
}

func lineName(line []byte) string {
	_, name, found := bytes.Cut(line, []byte("  "))
	if !found {
		return sumsFile
	}
	return string(name)
}
