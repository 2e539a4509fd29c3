//go:build linux

package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

const (
	aimCut   = 1.5
	cuts     = 21
	cutBytes = 3 << 20
)

// A cutter has what a cut needs, and its rival.
type cutter struct {
	dir    string
	app    crypto.Signer
	key    sign.Release
	trust  release.Trust
	layout *bundle.Layout
}

// cutJob cuts releases, each signed by RSA-3072 and stored, against reading the
// image, hashing, signing and storing it: in turns, and compared by their
// medians.
func cutJob(o options) ([]result, error) {
	dir, err := os.MkdirTemp(o.dir, "tcpboot-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c, err := newCutter(dir)
	if err != nil {
		return nil, err
	}
	var ours, rival []pace
	for i := range cuts {
		path, err := c.newImage(i, cutBytes)
		if err != nil {
			return nil, err
		}
		for _, r := range []struct {
			into *[]pace
			do   func(path string, i int) error
		}{{&ours, c.cut}, {&rival, c.hashSignWrite}} {
			runtime.GC() // neither pays for what was left before it
			p, err := timed(func() (int, error) { return 1, r.do(path, i) })
			if err != nil {
				return nil, err
			}
			*r.into = append(*r.into, p)
		}
	}
	return judgeCut(ours, rival), nil
}

func judgeCut(ours, rival []pace) []result {
	wall := func(p pace) float64 { return p.Seconds * 1e3 }
	cpu := func(p pace) float64 { return p.CPU * 1e3 }
	line := func(what string, of func(pace) float64, bound string) result {
		a, b := median(ours, of), median(rival, of)
		return result{"cut 3 MiB: " + what, fmt.Sprintf("%.1f ms", a), fmt.Sprintf("%.1f ms", b),
			ratio(a / b), fmt.Sprintf("≤ %.1f", aimCut), bound}
	}
	return []result{
		line("time", wall, "waiting for the disk twice, as the rival: for 13 files at once, then for the index"),
		line("CPU", cpu, "writing the image, as the rival; two passes of SHA-256, the rival's one; 12 files more"),
	}
}

func median(paces []pace, of func(pace) float64) float64 {
	var values []float64
	for _, p := range paces {
		values = append(values, of(p))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func newCutter(dir string) (*cutter, error) {
	app, err := custody.Generate(custody.RSA3072)
	if err != nil {
		return nil, err
	}
	p256, err := custody.Generate(custody.P256)
	if err != nil {
		return nil, err
	}
	key, err := sign.NewRelease(p256)
	if err != nil {
		return nil, err
	}
	digest, err := espimage.KeyDigest(app.Public())
	if err != nil {
		return nil, err
	}
	trust := release.Trust{
		Site: &sitedoc.Doc{Site: "bench", Keys: []sitedoc.ReleaseKey{{Key: key.Key(), Kind: sitedoc.Firmware}}},
		App:  []fleet.Digest{digest},
	}
	layout, err := bundle.Create(filepath.Join(dir, "releases"))
	return &cutter{dir, app, key, trust, layout}, err
}

// newImage lays an image of so many bytes of the i-th release, unlike all others, and returns its
// path.
func (c *cutter) newImage(i, size int) (string, error) {
	path := filepath.Join(c.dir, "app.bin")
	image := espimage.Build(espimage.Spec{Chip: "esp32", MinRevision: 300, Project: "bench", Version: fmt.Sprintf("1.0.%d", i), Size: size})
	return path, os.WriteFile(path, image, 0o600)
}

// cut does what the verb does, but for opening keys and drawing numbers.
func (c *cutter) cut(path string, i int) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	app, err := sign.NewApp(c.app)
	if err != nil {
		return err
	}
	q := release.Request{
		Site: "bench", Version: fmt.Sprintf("1.0.%d", i), Image: image,
		Hardware: release.Hardware{Name: "esp32", Chip: "esp32", MinRevision: 300, Scheme: espimage.RSA3072},
		Counter:  fleet.Counter{Count: 1}, Sequences: map[string]uint64{"stable": uint64(i + 1)},
		App: []sign.App{app}, Key: c.key,
	}
	if _, err := q.Check(); err != nil {
		return err
	}
	r, err := release.Cut(q)
	if err != nil {
		return err
	}
	report, err := release.Verify(r, c.trust)
	if err != nil {
		return err
	}
	if err := report.Offerable(); err != nil {
		return err
	}
	attached, err := bundle.Attach(r, bundle.About{}, c.key)
	if err != nil {
		return err
	}
	return c.layout.Store(context.Background(), r, attached...)
}

// hashSignWrite is the rival: the least that makes a signed image that lasts.
func (c *cutter) hashSignWrite(path string, i int) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(image)
	sig, err := c.app.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256})
	if err != nil {
		return err
	}
	return writeLasting(filepath.Join(c.dir, fmt.Sprintf("signed-%d", i)), image, sig)
}

// writeLasting writes, syncs, renames, and syncs the folder.
func writeLasting(path string, parts ...[]byte) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
