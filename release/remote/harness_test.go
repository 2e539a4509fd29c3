package remote

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
)

// registries are those that every capability is shown with: by name, the address
// of one that was started.
var registries = map[string]func(t *testing.T) (host string){
	"with referrers":    func(t *testing.T) string { return inMemory(t, true, nil) },
	"without referrers": func(t *testing.T) string { return inMemory(t, false, nil) },
	"docker-registry":   dockerRegistry,
}

func onEach(t *testing.T, test func(t *testing.T, host string)) {
	for name, start := range registries {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// inMemory starts a registry in this process. around, where it is not nil, gets
// every request first.
func inMemory(t *testing.T, referrers bool, around func(next http.Handler) http.Handler) (host string) {
	t.Helper()
	var h http.Handler = registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0)))
	if around != nil {
		h = around(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// dockerRegistry starts Debian's docker-registry, on a folder of its own.
func dockerRegistry(t *testing.T) (host string) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: \"127.0.0.1:0\"}\n", filepath.Join(dir, "blobs"))
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-registry", "serve", file)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: install the Debian package docker-registry", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: nothing to learn from it
	})
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return m[1]
		}
	}
	t.Fatal("docker-registry ended before it was ready")
	return ""
}

func open(t testing.TB, host string) *Repository {
	t.Helper()
	r, err := Open(Reference{Host: host, Path: "lab/firmware"}, Options{PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// key signs all releases of these tests.
func key(t testing.TB) sign.Release {
	t.Helper()
	raw, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	k, err := sign.NewRelease(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// cut makes a release whose bytes depend on its arguments alone. A sequence
// above 1 states the same images again.
func cut(t testing.TB, version, hardware string, sequence uint64) *release.Release {
	t.Helper()
	r := &release.Release{Images: map[string][]byte{}, Chunks: map[string][]byte{}}
	r.Manifest = release.Manifest{
		Site: "home", Kind: "firmware", Version: version, Hardware: hardware, Chip: "esp32",
		Counter:   fleet.Counter{Count: 1},
		Sequences: map[string]uint64{"stable": sequence},
		AuditSeq:  sequence, Audit: fleet.Sum([]byte("audit")),
	}
	r.Manifest.Image = component(r, "app", "image of "+version)
	r.Manifest.Others = []release.Component{component(r, "mcu", "mcu of "+version)}
	return signAgain(t, r)
}

func component(r *release.Release, name, content string) release.Component {
	image := bytes.Repeat([]byte(content), 10000/len(content))
	chunks := release.ChunkList(image, 4096)
	r.Images[name], r.Chunks[name] = image, chunks
	return release.Component{Name: name, Size: int64(len(image)), Digest: fleet.Sum(image), ChunkSize: 4096, Chunks: fleet.Sum(chunks)}
}

func signAgain(t testing.TB, r *release.Release) *release.Release {
	t.Helper()
	payload, err := r.Manifest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	k := key(t)
	if r.Signed, err = cose.Sign1(release.Type, payload, cose.Signer{Key: k.Key(), Sign: k.SignManifest}); err != nil {
		t.Fatal(err)
	}
	r.Digest = fleet.Sum(r.Signed)
	return r
}

// ours is the check of these tests: the site is ours, and what is there of the
// images is what is stated.
func ours(r *release.Release) error {
	if r.Manifest.Site != "home" {
		return errors.New("of another site")
	}
	for _, c := range r.Manifest.Components() {
		if r.Images != nil && (fleet.Sum(r.Images[c.Name]) != c.Digest || fleet.Sum(r.Chunks[c.Name]) != c.Chunks) {
			return fmt.Errorf("component %s is another one", c.Name)
		}
	}
	return nil
}

// A shelf is a layout and its folder.
type shelf struct {
	*bundle.Layout
	dir string
}

func newShelf(t testing.TB, releases ...*release.Release) *shelf {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "releases")
	l, err := bundle.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range releases {
		if err := l.Store(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	return &shelf{l, dir}
}

func (s *shelf) packed(t testing.TB, version string) []*bundle.Packed {
	t.Helper()
	all, err := s.Packed(context.Background(), version, "")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s *shelf) push(t testing.TB, host, version, alias string) *Push {
	t.Helper()
	done, err := s.tryPush(t, host, version, alias)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func (s *shelf) tryPush(t testing.TB, host, version, alias string) (*Push, error) {
	t.Helper()
	return open(t, host).Push(context.Background(), s.Layout, version, s.packed(t, version), alias, ours)
}

func (s *shelf) pull(t testing.TB, host, reference string) {
	t.Helper()
	if err := s.tryPull(t, host, reference); err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) tryPull(t testing.TB, host, reference string) error {
	t.Helper()
	_, err := s.Pull(context.Background(), open(t, host), reference, nil, ours)
	return err
}

// holds is the one strong check: the layout is sound, and has those releases and
// no others, byte for byte.
func (s *shelf) holds(t testing.TB, want ...*release.Release) {
	t.Helper()
	ctx := context.Background()
	problems, err := s.Verify(ctx)
	if err != nil || len(problems) > 0 {
		t.Fatalf("Verify: %v, %v", problems, err)
	}
	all, err := s.Releases(ctx)
	if err != nil || len(all) != len(want) {
		t.Fatalf("%d releases, %v; want %d", len(all), err, len(want))
	}
	for _, w := range want {
		got, err := s.Load(ctx, w.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Signed, w.Signed) || !maps.EqualFunc(got.Images, w.Images, bytes.Equal) || !maps.EqualFunc(got.Chunks, w.Chunks, bytes.Equal) {
			t.Fatalf("release %s for %s is another one", w.Manifest.Version, w.Manifest.Hardware)
		}
	}
	left := slices.DeleteFunc(s.files(t), func(name string) bool { return !strings.Contains(name, ".pull-") && !strings.Contains(name, ".tmp-") })
	if len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
}

// files lists what is in the folder, the lock aside.
func (s *shelf) files(t testing.TB) (names []string) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() != ".lock" {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// attach attaches an SBOM to a release in a registry, as another tool does.
func attach(t testing.TB, host string, to ocispec.Descriptor, text string) ocispec.Descriptor {
	t.Helper()
	ctx, repo := context.Background(), open(t, host).repo
	blob := ocispec.Descriptor{MediaType: "application/vnd.cyclonedx+json", Digest: digest.FromString(text), Size: int64(len(text))}
	empty := ocispec.DescriptorEmptyJSON
	for d, data := range map[*ocispec.Descriptor]string{&blob: text, &empty: "{}"} {
		if err := repo.Blobs().Push(ctx, *d, strings.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	to.Annotations = nil
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "application/vnd.cyclonedx+json", Config: empty, Layers: []ocispec.Descriptor{blob}, Subject: &to,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	if err := repo.Manifests().Push(ctx, d, bytes.NewReader(manifest)); err != nil {
		t.Fatal(err)
	}
	return d
}

// attached lists the digests of what a registry has attached to a release.
func attached(t testing.TB, host string, to ocispec.Descriptor) (all []string) {
	t.Helper()
	list, err := open(t, host).Referrers(context.Background(), to)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		all = append(all, d.Digest.String())
	}
	slices.Sort(all)
	return all
}

// once returns a function that does f at its first call.
func once(f func()) func() {
	var done atomic.Bool
	return func() {
		if done.CompareAndSwap(false, true) {
			f()
		}
	}
}
