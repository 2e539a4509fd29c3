package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

// A liar is a registry that answers otherwise for what lies say: by the end of a
// path.
type liar struct {
	lies map[string]http.HandlerFunc
	seen atomic.Int64 // bytes that the lies got rid of
}

func (l *liar) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for end, lie := range l.lies {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, end) {
				lie(w, req)
				return
			}
		}
		next.ServeHTTP(w, req)
	})
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		_, _ = io.WriteString(w, text) // whoever hung up has seen enough
	}
}

func (l *liar) endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
	for block := make([]byte, 64<<10); ; {
		n, err := w.Write(block)
		l.seen.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// What a registry says is compared with digests, and those with a signature;
// what does not hold leaves nothing.
func TestPullRefuses(t *testing.T) {
	r := cut(t, "1.0", "esp32", 1)
	s := newShelf(t, r)
	packed := s.packed(t, "1.0")[0]
	image, manifest := packed.Layers[2].Digest.String(), packed.Descriptor.Digest.String()
	other := newShelf(t, cut(t, "1.0", "door", 1)).packed(t, "1.0")[0]
	for _, row := range []struct {
		name string
		at   string
		lie  func(l *liar) http.HandlerFunc
		want string
	}{
		{"another manifest", manifest, func(*liar) http.HandlerFunc { return says(string(other.Text)) }, ""},
		{"a manifest of the same length", manifest, func(*liar) http.HandlerFunc {
			return says(strings.Replace(string(packed.Text), `"esp32"`, `"esp33"`, 1))
		}, "corrupt"},
		{"another image", image, func(*liar) http.HandlerFunc { return says(strings.Repeat("x", int(packed.Layers[2].Size))) }, "corrupt"},
		{"half an image", image, func(*liar) http.HandlerFunc { return says(string(r.Images["app"][:100])) }, ""},
		{"an endless image", image, func(l *liar) http.HandlerFunc { return l.endless }, "corrupt: more than"},
		{"an endless manifest", manifest, func(l *liar) http.HandlerFunc { return l.endless }, "corrupt: more than"},
		{"an endless index", "/manifests/1.0", func(l *liar) http.HandlerFunc { return l.endless }, ""},
		{"no index", "/manifests/1.0", func(*liar) http.HandlerFunc { return says("{}") }, "is no release"},
		{"no JSON", "/manifests/1.0", func(*liar) http.HandlerFunc { return says("<html>") }, ""},
		{"a digest of something else", "/manifests/1.0", func(*liar) http.HandlerFunc {
			return func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Docker-Content-Digest", digest.FromString("else").String())
				says(string(packed.Text))(w, req)
			}
		}, ""},
		{"no image", image, func(*liar) http.HandlerFunc { return http.NotFound }, "is not there"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := &liar{}
			host := inMemory(t, true, l.around)
			s.push(t, host, "1.0", "")
			l.lies = map[string]http.HandlerFunc{row.at: row.lie(l)}
			refusesPull(t, host, row.want)
			if n := l.seen.Load(); n > 16<<20 {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

// refusesPull checks that a pull of 1.0 fails, with the words in want, and leaves
// nothing, not even a file.
func refusesPull(t *testing.T, host, want string) {
	t.Helper()
	kept := cut(t, "0.9", "esp32", 1)
	to := newShelf(t, kept)
	before := to.files(t)
	if err := to.tryPull(t, host, "1.0"); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want an error about %q", err, want)
	}
	if after := to.files(t); !slices.Equal(before, after) {
		t.Errorf("the refused pull left files:\n%v\nbefore:\n%v", after, before)
	}
	to.holds(t, kept)
}

// forge pushes a version, and then puts another image manifest under its tag.
func forge(t *testing.T, s *shelf, change func(m *ocispec.Manifest)) (host string) {
	t.Helper()
	host = inMemory(t, true, nil)
	s.push(t, host, "1.0", "")
	packed := s.packed(t, "1.0")[0]
	var m ocispec.Manifest
	if err := json.Unmarshal(packed.Text, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	put(t, host, "1.0", ocispec.MediaTypeImageManifest, m)
	return host
}

func put(t *testing.T, host, tag, mediaType string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}
	if err := open(t, host).repo.PushReference(context.Background(), d, bytes.NewReader(text), tag); err != nil {
		t.Fatal(err)
	}
}

// What is not signed must not tell another story, nor bring anything along.
func TestPullRefusesForgedManifests(t *testing.T) {
	s := newShelf(t, cut(t, "1.0", "esp32", 1))
	for _, row := range []struct {
		name   string
		change func(m *ocispec.Manifest)
		want   string
	}{
		{"a path as a title", func(m *ocispec.Manifest) {
			m.Layers[1].Annotations = map[string]string{ocispec.AnnotationTitle: "../../../etc/cron.d/x"}
		}, `layer 1: "../../../etc/cron.d/x"`},
		{"a path as a digest", func(m *ocispec.Manifest) { m.Layers[1].Digest = "sha256:../../etc/passwd" }, "digest"},
		{"a layer more", func(m *ocispec.Manifest) { m.Layers = append(m.Layers, m.Layers[1]) }, "6 layers, want 5"},
		{"layers in another order", func(m *ocispec.Manifest) { m.Layers[1], m.Layers[3] = m.Layers[3], m.Layers[1] }, "layer 1"},
		{"a configuration", func(m *ocispec.Manifest) { m.Config = m.Layers[0] }, "configuration"},
		{"a size that is enormous", func(m *ocispec.Manifest) { m.Layers[1].Size = 1 << 60 }, "is no layer"},
		{"a statement that is enormous", func(m *ocispec.Manifest) { m.Layers[0].Size = 1 << 60 }, "want at most 1024"},
		{"another hardware", func(m *ocispec.Manifest) { m.Annotations[bundle.AnnotationHardware] = "door" }, "the signed manifest says"},
		{"another kind of artifact", func(m *ocispec.Manifest) { m.ArtifactType = "application/vnd.example" }, "is no release"},
	} {
		t.Run(row.name, func(t *testing.T) { refusesPull(t, forge(t, s, row.change), row.want) })
	}
}

func TestPullRefusesForgedIndexes(t *testing.T) {
	s := newShelf(t, cut(t, "1.0", "esp32", 1))
	entry := s.packed(t, "1.0")[0].Descriptor
	for _, row := range []struct {
		name   string
		change func(ix *ocispec.Index)
		want   string
	}{
		{"another version", func(ix *ocispec.Index) { ix.Annotations[ocispec.AnnotationVersion] = "2.0" }, "the signed manifest says"},
		{"another hardware", func(ix *ocispec.Index) {
			ix.Manifests[0].Annotations = map[string]string{bundle.AnnotationHardware: "door"}
		}, "the signed manifest says"},
		{"another kind", func(ix *ocispec.Index) { ix.ArtifactType = "" }, "is no release"},
		{"something else beside it", func(ix *ocispec.Index) {
			ix.Manifests = append(ix.Manifests, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: entry.Digest, Size: entry.Size})
		}, "entry 1"},
		{"an enormous manifest", func(ix *ocispec.Index) { ix.Manifests[0].Size = 1 << 60 }, "want at most"},
	} {
		t.Run(row.name, func(t *testing.T) {
			host := inMemory(t, true, nil)
			s.push(t, host, "1.0", "")
			_, text, err := open(t, host).Resolve(context.Background(), "1.0", 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var ix ocispec.Index
			if err := json.Unmarshal(text, &ix); err != nil {
				t.Fatal(err)
			}
			row.change(&ix)
			put(t, host, "1.0", ocispec.MediaTypeImageIndex, ix)
			refusesPull(t, host, row.want)
		})
	}
}

// A release that check refuses costs no image: those of another site, or signed
// by nobody whom the site trusts.
func TestPullAsksForNoImageOfStrangers(t *testing.T) {
	foreign := cut(t, "1.0", "esp32", 1)
	foreign.Manifest.Site = "away"
	away := newShelf(t, signAgain(t, foreign))
	image := away.packed(t, "1.0")[0].Layers[2].Digest.String()
	asked := false
	host := inMemory(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			asked = asked || req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, image)
			next.ServeHTTP(w, req)
		})
	})
	if _, err := open(t, host).Push(context.Background(), away.Layout, "1.0", away.packed(t, "1.0"), "", func(*release.Release) error { return nil }); err != nil {
		t.Fatal(err)
	}
	refusesPull(t, host, "of another site")
	if asked {
		t.Error("the image of a stranger was asked for")
	}
}

// What a pull left that was killed, the next removes; what one still fills it
// leaves alone.
func TestPullSweeps(t *testing.T) {
	r := cut(t, "1.0", "esp32", 1)
	host := inMemory(t, true, nil)
	newShelf(t, r).push(t, host, "1.0", "")
	to := newShelf(t)
	dead, alive := filepath.Join(to.dir, ".pull-dead"), filepath.Join(to.dir, ".pull-alive")
	for _, dir := range []string{dead, alive} {
		if err := os.MkdirAll(filepath.Join(dir, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.Open(alive)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	to.pull(t, host, "1.0")
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a dead pull left: %v, want fs.ErrNotExist", err)
	}
	if _, err := os.Stat(filepath.Join(alive, "x")); err != nil {
		t.Errorf("what a living pull has: %v", err)
	}
	held.Close()
	to.pull(t, host, "1.0")
	to.holds(t, r)
}

// guarded starts a registry that wants a password, and a server elsewhere that
// must never see it; there is who asked it, and with what.
func guarded(t *testing.T, lie func(elsewhere string, w http.ResponseWriter, req *http.Request) bool) (host string, there chan string) {
	t.Helper()
	there = make(chan string, 100)
	blobs := newShelf(t, cut(t, "1.0", "esp32", 1))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		there <- req.Method + " " + req.Header.Get("Authorization")
		d := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
		if body, err := blobs.Open(req.Context(), ocispec.Descriptor{Digest: digest.Digest(d)}); err == nil {
			_, _ = io.Copy(w, body)
			body.Close()
		}
	}))
	t.Cleanup(elsewhere.Close)
	host = inMemory(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("me:secret")) {
				w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if !lie(elsewhere.URL, w, req) {
				next.ServeHTTP(w, req)
			}
		})
	})
	return host, there
}

func openAs(t *testing.T, host, user, password string) *Repository {
	t.Helper()
	r, err := Open(Reference{Host: host, Path: "lab/firmware"}, Options{PlainHTTP: true,
		Credential: auth.StaticCredential(host, auth.Credential{Username: user, Password: password})})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCredentials(t *testing.T) {
	host, _ := guarded(t, func(string, http.ResponseWriter, *http.Request) bool { return false })
	s := newShelf(t, cut(t, "1.0", "esp32", 1))
	push := func(r *Repository) error {
		_, err := r.Push(context.Background(), s.Layout, "1.0", s.packed(t, "1.0"), "", ours)
		return err
	}
	if err := push(open(t, host)); !errors.Is(err, ErrDenied) {
		t.Errorf("without a password: got %v, want ErrDenied", err)
	}
	if err := push(openAs(t, host, "me", "wrong")); !errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong one: got %v, want ErrDenied without the password", err)
	}
	if err := push(openAs(t, host, "me", "secret")); err != nil {
		t.Error(err)
	}
}

// Neither a redirect nor an upload location takes the password elsewhere; nothing
// follows to where it would go in the clear.
func TestCredentialsStayHome(t *testing.T) {
	redirect := func(method, path string, status int) func(string, http.ResponseWriter, *http.Request) bool {
		return func(elsewhere string, w http.ResponseWriter, req *http.Request) bool {
			if req.Method != method || !strings.Contains(req.URL.Path, path) {
				return false
			}
			w.Header().Set("Location", elsewhere+req.URL.Path+"?X-Signature=geheim")
			w.WriteHeader(status)
			return true
		}
	}
	s := newShelf(t, cut(t, "1.0", "esp32", 1))
	for _, row := range []struct {
		name   string
		lie    func(string, http.ResponseWriter, *http.Request) bool
		pulled bool
	}{
		{"a download, in the clear", redirect("GET", "/blobs/", http.StatusTemporaryRedirect), true},
		{"a manifest, in the clear", redirect("GET", "/manifests/1.0", http.StatusTemporaryRedirect), true},
		{"an upload", redirect("POST", "/uploads/", http.StatusTemporaryRedirect), false},
		{"an upload's location", redirect("POST", "/uploads/", http.StatusAccepted), false},
		{"a manifest on its way up", redirect("PUT", "/manifests/", http.StatusPermanentRedirect), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			honest := true
			host, there := guarded(t, func(elsewhere string, w http.ResponseWriter, req *http.Request) bool {
				return !honest && row.lie(elsewhere, w, req)
			})
			repo := openAs(t, host, "me", "secret")
			push := func() error {
				_, err := repo.Push(context.Background(), s.Layout, "1.0", s.packed(t, "1.0"), "", ours)
				return err
			}
			try := push
			if row.pulled {
				if err := push(); err != nil {
					t.Fatal(err)
				}
				to := newShelf(t)
				try = func() error { _, err := to.Pull(context.Background(), repo, "1.0", nil, ours); return err }
			}
			honest = false
			if err := try(); err == nil || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want an error without a secret", err)
			}
			if len(there) > 0 {
				t.Errorf("the other server was asked: %s", <-there)
			}
		})
	}
}

// withStore starts a registry with TLS that wants a password and redirects
// downloads to stores; there is what those were shown as a password.
func withStore(t *testing.T, releases *shelf, start func(http.Handler) *httptest.Server) (front *httptest.Server, there *[]string) {
	t.Helper()
	there = new([]string)
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	store := start(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		*there = append(*there, req.Header.Get("Authorization"))
		inner.ServeHTTP(w, req)
	}))
	t.Cleanup(store.Close)
	front = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
			w.WriteHeader(http.StatusUnauthorized)
		case req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/"):
			http.Redirect(w, req, store.URL+req.URL.Path, http.StatusTemporaryRedirect)
		default:
			inner.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(front.Close)
	plain := httptest.NewServer(inner)
	t.Cleanup(plain.Close)
	releases.push(t, strings.TrimPrefix(plain.URL, "http://"), "1.0", "")
	return front, there
}

func openTLS(t *testing.T, front *httptest.Server) *Repository {
	t.Helper()
	host := strings.TrimPrefix(front.URL, "https://")
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	r, err := Open(Reference{Host: host, Path: "lab/firmware"}, Options{TLS: &tls.Config{RootCAs: roots},
		Credential: auth.StaticCredential(host, auth.Credential{Username: "me", Password: "secret"})})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A download may be redirected, as registries do that keep blobs in a store:
// without the password, and not to where it would come in the clear.
func TestRedirectedDownload(t *testing.T) {
	r := cut(t, "1.0", "esp32", 1)
	front, there := withStore(t, newShelf(t, r), httptest.NewTLSServer)
	to := newShelf(t)
	if _, err := to.Pull(context.Background(), openTLS(t, front), "1.0", nil, ours); err != nil {
		t.Fatal(err)
	}
	to.holds(t, r)
	if len(*there) == 0 || slices.ContainsFunc(*there, func(s string) bool { return s != "" }) {
		t.Errorf("the store was shown %q, want nothing, and more than once", *there)
	}

	front, there = withStore(t, newShelf(t, r), httptest.NewServer)
	_, err := newShelf(t).Pull(context.Background(), openTLS(t, front), "1.0", nil, ours)
	if err == nil || !strings.Contains(err.Error(), "which is not encrypted") || len(*there) > 0 {
		t.Errorf("to a store without TLS: got %v, and it was asked %d times", err, len(*there))
	}
}

// A registry cannot send the password to a token service in the clear.
func TestTokenServiceInTheClear(t *testing.T) {
	asked := false
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer thief.Close()
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=lab", thief.URL))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer front.Close()
	if _, err := newShelf(t).Pull(context.Background(), openTLS(t, front), "1.0", nil, ours); err == nil || asked {
		t.Errorf("got %v, the service was asked: %v", err, asked)
	}
}

// What a registry says on refusing is shown, and steers no terminal.
func TestErrorsArePrintable(t *testing.T) {
	host := inMemory(t, true, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"errors":[{"code":"UNSUPPORTED","message":"no\u001b[31m way\r\n%s"}]}`, strings.Repeat("x", 4000))
		})
	})
	err := newShelf(t).tryPull(t, host, "1.0")
	if err == nil || !strings.Contains(err.Error(), "no?[31m way??") || len(err.Error()) > 700 {
		t.Fatalf("got %q", err)
	}
}

// A registry that falls silent is given up.
func TestSilence(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		}
	}()
	conn, err := dialer{&net.Dialer{}, 50 * time.Millisecond, nil}.dial(context.Background(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadAll(conn); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Fatalf("got %v, want a timeout", err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
