package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/server"
)

// A served is a site with a shelf, as serve has them.
type served struct {
	*testing.T
	*shelf
	dir     string
	env     []string
	arrived chan struct{}
}

// servedSite is made by the first who needs it, for others to copy.
var servedSite struct {
	sync.Mutex
	dir string
}

// newServed makes a site with release 1.0 for esp32, which is published, and 2.0.
func newServed(t *testing.T) *served {
	t.Helper()
	dir, env := newSite(t)
	h := &served{T: t, dir: dir, env: env, arrived: make(chan struct{}, 1000)}
	h.fill()
	h.shelf = h.open()
	h.shelf.arrived = func() { h.arrived <- struct{}{} }
	h.refreshes(offers)
	return h
}

func (h *served) fill() {
	h.Helper()
	servedSite.Lock()
	defer servedSite.Unlock()
	if servedSite.dir != "" {
		if err := errors.Join(os.RemoveAll(h.dir), copyTree(servedSite.dir, h.dir)); err != nil {
			h.Fatal(err)
		}
		return
	}
	for _, version := range []string{"1.0", "2.0"} {
		h.cut(version, "esp32", 8192)
	}
	h.run("release", "publish", "1.0")
	dir := filepath.Join(readyDir, "served")
	if err := copyTree(h.dir, dir); err != nil {
		h.Fatal(err)
	}
	servedSite.dir = dir
}

func (h *served) open() *shelf {
	h.Helper()
	at, err := site.Open(h.dir)
	if err != nil {
		h.Fatal(err)
	}
	reader, err := registry.Open(context.Background(), databaseURL(at), registry.Options{ReadOnly: true})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { reader.Close() })
	s := &session{site: at, fleet: reader}
	sh, err := s.shelf()
	if err != nil {
		h.Fatal(err)
	}
	return sh
}

func (h *served) run(args ...string) {
	h.Helper()
	cmd := exec.Command("tcpboot", args...)
	cmd.Env = h.env
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("tcpboot %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (h *served) cut(version, hardware string, size int) {
	h.Helper()
	app := filepath.Join(h.TempDir(), "app.bin")
	chip, _ := fleet.ParseChip(hardware)
	image := espimage.Build(espimage.Spec{Chip: chip, Version: version, Project: "app", Size: size})
	if err := os.WriteFile(app, image, 0o644); err != nil {
		h.Fatal(err)
	}
	h.run("release", "cut", app, "--version", version, "--hardware", hardware)
}

// refreshes expects a refresh without a fault that changes so much at least.
func (h *served) refreshes(want change) {
	h.Helper()
	if got, err := h.refresh(context.Background()); err != nil || got < want {
		h.Fatalf("refresh: change %d, %v; want %d", got, err, want)
	}
}

// fails expects a refresh that says words.
func (h *served) fails(words string) {
	h.Helper()
	if _, err := h.refresh(context.Background()); err == nil || !strings.Contains(err.Error(), words) {
		h.Fatalf("refresh: %v, want %q", err, words)
	}
}

// gets asks for a board until its image is at hand.
func (h *served) gets(d fleet.Device, want string) {
	h.Helper()
	for {
		blob, err := h.Pick(context.Background(), d)
		if errors.Is(err, server.ErrNotYet) {
			<-h.arrived
			continue
		}
		if err != nil || blob.Version != want {
			h.Fatalf("the board gets %+v, %v; want %s", blob, err, want)
		}
		return
	}
}

// hide takes something of the site away; the answer brings it back.
func (h *served) hide(name string) (restore func()) {
	h.Helper()
	path := filepath.Join(h.dir, name)
	h.rename(path, path+".hidden")
	return func() { h.Helper(); h.rename(path+".hidden", path) }
}

// spoil puts junk in the place of a file; the answer brings it back.
func (h *served) spoil(name string) (restore func()) {
	h.Helper()
	back := h.hide(name)
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte("junk"), 0o640); err != nil {
		h.Fatal(err)
	}
	return func() { h.Helper(); back() }
}

func (h *served) rename(from, to string) {
	h.Helper()
	if err := os.Rename(from, to); err != nil {
		h.Fatal(err)
	}
}

var esp32Board = fleet.Device{MAC: fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 2}, Hardware: "esp32", Channel: "stable", State: fleet.Active}

// A fault that passes takes nothing from boards, is read over at the next look,
// and hides no change elsewhere.
func TestShelfKeepsWhatItRead(t *testing.T) {
	for _, row := range []struct {
		name, words string
		fault       func(h *served) (restore func())
	}{
		{"blobs are away", "no such file", func(h *served) func() {
			h.touchIndex()
			return h.hide("releases/blobs")
		}},
		{"the index is junk", "index.json", func(h *served) func() { return h.spoil("releases/index.json") }},
		{"the index is away", "no such file", func(h *served) func() { return h.hide("releases/index.json") }},
		{"the settings are wrong", "tcpboot.yaml", func(h *served) func() { return h.spoil("tcpboot.yaml") }},
		{"the settings are away", "no such file", func(h *served) func() { return h.hide("tcpboot.yaml") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newServed(t)
			h.gets(esp32Board, "1.0")
			restore := row.fault(h)
			h.fails(row.words)
			h.gets(esp32Board, "1.0")
			if err := h.publish("2.0"); err != nil {
				t.Fatal(err)
			}
			if changed, err := h.refresh(context.Background()); changed < offers || err == nil {
				t.Errorf("refresh: change %d, %v; want what was published, and the fault", changed, err)
			}
			restore()
			h.notBefore = time.Time{}
			h.refreshes(nothing)
			h.gets(esp32Board, "2.0")
		})
	}
}

// touchIndex makes the index another file of the same content.
func (h *served) touchIndex() {
	h.Helper()
	path := filepath.Join(h.dir, "releases/index.json")
	text, err := os.ReadFile(path)
	if err != nil {
		h.Fatal(err)
	}
	if err := site.WriteFile(path, text, 0o644); err != nil {
		h.Fatal(err)
	}
}

// onStable is what the channel stable offers to esp32.
func onStable(f *registry.Fleet) (fleet.Offer, error) {
	offers, err := f.Offers(context.Background())
	for _, o := range offers {
		if o.Hardware == "esp32" && o.Channel == "stable" {
			return o, err
		}
	}
	return fleet.Offer{}, err
}

// publish offers a release without looking at it.
func (h *served) publish(version string) error {
	r := h.now.Load().catalog.Find("esp32", version)[0]
	w, err := registry.Open(context.Background(), "sqlite:"+filepath.Join(h.dir, "tcpboot.db"), registry.Options{Who: "test"})
	if err != nil {
		return err
	}
	last, err := onStable(w)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	err = w.Publish(context.Background(), last, fleet.Offer{Hardware: "esp32", Channel: "stable", Version: version,
		Manifest: r.Digest, Sequence: r.Manifest.Sequences["stable"], Percent: 100})
	return errors.Join(err, w.Close())
}

// While a fault lasts it is looked at again, but not all the time.
func TestFaultIsLookedAtSparingly(t *testing.T) {
	h := newServed(t)
	restore := h.spoil("releases/index.json")
	h.fails("index.json")
	h.notBefore = time.Now().Add(time.Hour) // as if that had taken long
	restore()
	h.fails("index.json")
	h.notBefore = time.Time{}
	h.refreshes(nothing)
}

// Hardware that is added while serving is served.
func TestHardwareAddedWhileServing(t *testing.T) {
	h := newServed(t)
	h.gets(esp32Board, "1.0")
	h.run("enroll", "246f28aa1004", "--hardware", "esp32c3", "--chip", "esp32c3")
	h.cut("3.0", "esp32c3", 8192)
	h.run("release", "publish", "3.0")
	h.refreshes(everything)
	h.refreshes(nothing)
	c3 := esp32Board
	c3.Hardware = "esp32c3"
	h.gets(c3, "3.0")
	h.gets(esp32Board, "1.0")
}

// A slow disk under one image holds up neither boards that want another nor the
// look at the site.
func TestSlowImageHoldsUpNobody(t *testing.T) {
	h := newServed(t)
	slow, honest := make(chan struct{}), h.verify
	h.verify = func(r *release.Release) error {
		if r.Manifest.Version == "2.0" {
			<-slow
		}
		return honest(r)
	}
	pinned := esp32Board
	pinned.Pin = fleet.Pin{Version: "2.0"}
	for range 100 {
		if _, err := h.Pick(context.Background(), pinned); !errors.Is(err, server.ErrNotYet) {
			t.Fatalf("got %v, want ErrNotYet", err)
		}
	}
	h.gets(esp32Board, "1.0")
	h.run("enroll", "246f28aa1004")
	h.refreshes(devices)
	close(slow)
	h.gets(pinned, "2.0")
}

// An image that cannot be read is told as a fault, tried again after a while, and
// boards are told when it has come.
func TestImageThatCannotBeRead(t *testing.T) {
	h := newServed(t)
	restore := h.hide("releases/blobs")
	if _, err := h.Pick(context.Background(), esp32Board); !errors.Is(err, server.ErrNotYet) {
		t.Fatalf("got %v, want ErrNotYet", err)
	}
	<-h.arrived
	if _, err := h.Pick(context.Background(), esp32Board); err == nil || errors.Is(err, server.ErrNotYet) {
		t.Fatalf("got %v, want a fault", err)
	}
	restore()
	if _, err := h.Pick(context.Background(), esp32Board); err == nil {
		t.Error("it was tried again at once")
	}
	h.again = 0
	if _, err := h.Pick(context.Background(), esp32Board); err == nil {
		t.Error("it was waited for")
	}
	<-h.arrived
	h.gets(esp32Board, "1.0")
}

// Images of pinned releases, which nothing offers, are kept while they are used.
func TestImagesAreKeptWhileInUse(t *testing.T) {
	h := newServed(t)
	pinned := esp32Board
	pinned.Pin = fleet.Pin{Version: "2.0"}
	h.gets(esp32Board, "1.0")
	h.gets(pinned, "2.0")
	h.tidy(time.Now().Add(unwanted/2), false)
	if n := len(h.held); n != 2 {
		t.Errorf("%d images, want 2", n)
	}
	h.tidy(time.Now().Add(2*unwanted), false)
	if n := len(h.held); n != 1 {
		t.Errorf("%d images after a long time, want the one that is offered", n)
	}
	h.tidy(time.Now(), true)
	if n := len(h.held); n != 0 {
		t.Errorf("%d images after new settings, want none", n)
	}
}

// lines is a log that is kept.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), words)
}

// Boards that wait are asked about at once when something is offered, also beside
// a fault, which is told once; and now and then while devices change.
func TestWatch(t *testing.T) {
	h := newServed(t)
	said := &lines{}
	w := &watch{shelf: h.shelf, log: slog.New(slog.NewTextHandler(said, nil))}
	now := time.Now()
	look := func(after time.Duration, want bool) {
		t.Helper()
		now = now.Add(after)
		h.notBefore = time.Time{}
		if got := w.look(context.Background(), now); got != want {
			t.Errorf("asks again: %v, want %v", got, want)
		}
	}
	next := 0x1010
	enrol := func() { h.run("enroll", fmt.Sprintf("246f28aa%04x", next)); next++ }

	look(0, false)
	enrol()
	look(time.Second, true) // the first at once
	enrol()
	look(time.Second, false) // the others together
	enrol()
	look(time.Second, false)
	look(time.Second, true)
	look(calm, false)

	restore := h.spoil("releases/index.json")
	look(time.Second, false)
	enrol()
	look(calm, true)
	if err := h.publish("2.0"); err != nil {
		t.Fatal(err)
	}
	look(time.Second, true)
	if n := said.count("level=ERROR"); n != 1 {
		t.Errorf("the fault is told %d times, want once:\n%s", n, &said.text)
	}
	restore()
	look(time.Second, false)
	look(time.Second, false)
	if n := said.count("can be read again"); n != 1 {
		t.Errorf("its end is told %d times, want once:\n%s", n, &said.text)
	}
}
