package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/client"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
	"github.com/tcpboot/tcpboot/release/wire"
)

const updateName = "update.site"

// A hierarchy is a root that issues directly.
type hierarchy struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newHierarchy(t *testing.T) *hierarchy {
	t.Helper()
	h := &hierarchy{}
	c := h.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	h.key, h.certificate = c.PrivateKey.(*ecdsa.PrivateKey), c.Leaf
	return h
}

// issue signs shape; the first one by itself.
func (h *hierarchy) issue(t *testing.T, shape *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shape.SerialNumber = big.NewInt(time.Now().UnixNano())
	shape.NotBefore, shape.NotAfter = time.Unix(0, 0), orTime(shape.NotAfter, time.Now().Add(time.Hour))
	parent, signer := h.certificate, h.key
	if parent == nil {
		parent, signer = shape, key
	}
	der, err := x509.CreateCertificate(rand.Reader, shape, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func orTime(t, otherwise time.Time) time.Time {
	if t.IsZero() {
		return otherwise
	}
	return t
}

func (h *hierarchy) server(t *testing.T, name string) tls.Certificate {
	return h.issue(t, &x509.Certificate{DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (h *hierarchy) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(h.certificate)
	return p
}

// p256 returns the key whose private scalar is n.
func p256(n byte) *ecdsa.PrivateKey {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), n))
	if err != nil {
		panic(err)
	}
	return key
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// document is the site's document of an epoch: n is its root, the epochs above 2
// have root 2 and the rest root 1.
func document(epoch uint64, change func(*sitedoc.Doc)) *sitedoc.Doc {
	root := must(sign.NewRoot(p256(1 + byte(epoch/3))))
	d := &sitedoc.Doc{
		Site: "site", Epoch: epoch,
		Keys:       []sitedoc.ReleaseKey{{Key: must(sign.NewRelease(p256(11))).Key(), Kind: sitedoc.Firmware}},
		Roots:      sitedoc.Roots{Threshold: 1, Keys: []cose.Key{root.Key()}},
		Endpoints:  []string{"192.0.2.7:8123"},
		Names:      sitedoc.Names{RADIUS: "radius.site", Update: updateName},
		EAPIssuers: []fleet.Digest{fleet.Sum([]byte("eap"))},
		TLSIssuers: []fleet.Digest{fleet.Sum([]byte("tls"))},
	}
	change(d)
	return d
}

// signed is the document of an epoch, as the roots before it and its own sign it.
func signed(epoch uint64, change func(*sitedoc.Doc)) []byte {
	return must(sitedoc.Sign(document(epoch, change), roots(epoch)...))
}

func roots(epoch uint64) (list []sitedoc.Root) {
	for _, n := range slices.Compact([]byte{1 + byte((max(epoch, 1)-1)/3), 1 + byte(epoch/3)}) {
		list = append(list, must(sign.NewRoot(p256(n))))
	}
	return list
}

func asIs(*sitedoc.Doc) {}

// cut makes a release of 40,000 bytes, a change of what is asked for, and signs it by key n.
func cut(n byte, change func(*release.Request)) *release.Release {
	q := release.Request{
		Site: "site", Version: "1.2.0", Hardware: release.Hardware{Name: "door", Chip: "esp32c2", MinRevision: 100, Slot: 0x100000},
		Image:   espimage.Build(espimage.Spec{Chip: "esp32c2", MinRevision: 100, Version: "1.2.0", Size: 40000}),
		Counter: fleet.Counter{Count: 3}, Sequences: map[string]uint64{"stable": 7},
		App: []sign.App{must(sign.NewApp(p256(21)))}, Key: must(sign.NewRelease(p256(n))),
	}
	change(&q)
	return must(release.Cut(q))
}

func asAsked(*release.Request) {}

// newBoard is a board that knows the first document and runs sequence 5.
func newBoard() *client.Board {
	return &client.Board{Trust: document(1, asIs), Board: release.Board{Site: "site", Hardware: "door", Chip: "esp32c2", Channel: "stable",
		Loader: "2.0.0", Sequence: 5, Counter: fleet.Counter{Count: 2}}}
}

// A stage is a server that does as it likes, and the board that asks it.
type stage struct {
	*httptest.Server
	servers, boards *hierarchy
}

// open starts a server of version 2; change makes another of its TLS.
func open(t *testing.T, do http.HandlerFunc, change func(*stage, *tls.Config)) *stage {
	t.Helper()
	s := &stage{servers: newHierarchy(t), boards: newHierarchy(t)}
	s.Server = httptest.NewUnstartedServer(do)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{s.servers.server(t, updateName)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.boards.pool()}
	if change != nil {
		change(s, s.TLS)
	}
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// patient are limits that no test reaches, on a busy machine either.
var patient = client.Limits{Silence: time.Minute, Idle: time.Minute, Total: time.Minute}

// board is the server as a board sees it.
func (s *stage) board(t *testing.T, l client.Limits) *client.Server {
	t.Helper()
	c := s.boards.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: board.String()}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	srv := client.Secure(s.Listener.Addr().String(), client.Identity{Certificate: c, Servers: s.servers.pool(), Name: updateName}, l)
	t.Cleanup(srv.Close)
	return srv
}

// fails holds that err is there and says so.
func fails(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want an error with %q", err, says)
	}
}

// Who is not the site's image server is told nothing: not even a request.
func TestOtherServers(t *testing.T) {
	radius := newHierarchy(t)
	own := func(c tls.Certificate) []tls.Certificate { return []tls.Certificate{c} }
	for name, row := range map[string]struct {
		change func(*stage, *tls.Config)
		says   string
	}{
		"another name":    {func(s *stage, c *tls.Config) { c.Certificates = own(s.servers.server(t, "update.other")) }, "not update.site"},
		"the RADIUS name": {func(s *stage, c *tls.Config) { c.Certificates = own(s.servers.server(t, "radius.site")) }, "not update.site"},
		"the RADIUS CA":   {func(s *stage, c *tls.Config) { c.Certificates = own(radius.server(t, updateName)) }, "unknown authority"},
		"the boards CA":   {func(s *stage, c *tls.Config) { c.Certificates = own(s.boards.server(t, updateName)) }, "unknown authority"},
		"itself":          {func(s *stage, c *tls.Config) { c.Certificates = own((&hierarchy{}).server(t, updateName)) }, "unknown authority"},
		"a client's": {func(s *stage, c *tls.Config) {
			c.Certificates = own(s.servers.issue(t, &x509.Certificate{DNSNames: []string{updateName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}))
		}, "incompatible key usage"},
		"one that is over": {func(s *stage, c *tls.Config) {
			c.Certificates = own(s.servers.issue(t, &x509.Certificate{DNSNames: []string{updateName}, NotAfter: time.Now().Add(-time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))
		}, "expired"},
		"TLS 1.1":            {func(s *stage, c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "protocol version"},
		"refusing the board": {func(s *stage, c *tls.Config) { c.ClientCAs = radius.pool() }, "does not serve this certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := open(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) }, row.change)
			_, err := s.board(t, patient).Ask(t.Context(), newBoard())
			fails(t, err, row.says)
			if asked.Load() != 0 {
				t.Error("it was asked all the same")
			}
		})
	}
}

// boots answers /v2/boot with documents, whatever the board says, once; then with
// nothing.
func boots(docs ...[]byte) http.HandlerFunc {
	var asked atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body := bytes.Join(docs, nil)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body)
	}
}

// A board that took the highest numbers from a thief takes any of the next generation
// that a site document begins.
func TestNewGeneration(t *testing.T) {
	next := signed(2, func(d *sitedoc.Doc) {
		d.Generation, d.Floors = 1, map[string]fleet.Counter{"door": {Generation: 1}}
	})
	good := cut(11, func(q *release.Request) { q.Counter.Generation = 1 })
	b := newBoard()
	b.Sequence, b.Counter.Count = math.MaxUint64, math.MaxUint32
	s := open(t, boots(next, good.Signed), func(*stage, *tls.Config) {})
	if r, err := s.board(t, patient).Ask(t.Context(), b); err != nil || r.Digest != good.Digest {
		t.Errorf("got %v, %v", r, err)
	}
}

// What a server says is judged, whoever the server is.
func TestDocumentsThatLie(t *testing.T) {
	good := cut(11, asAsked)
	forged := bytes.Clone(good.Signed)
	forged[len(forged)-1] ^= 1
	manifest := func(change func(*release.Request)) [][]byte { return [][]byte{cut(11, change).Signed} }
	for name, row := range map[string]struct {
		docs [][]byte
		want error  // nil: any
		says string // "": it is taken
	}{
		"the truth":              {[][]byte{good.Signed}, nil, ""},
		"successors first":       {[][]byte{signed(2, asIs), signed(3, asIs), good.Signed}, nil, ""},
		"other hardware":         {manifest(func(q *release.Request) { q.Hardware.Name = "lamp" }), release.OtherBoard, "for hardware lamp"},
		"another site":           {manifest(func(q *release.Request) { q.Site = "other" }), release.OtherSite, "for site other"},
		"another channel":        {manifest(func(q *release.Request) { q.Sequences = map[string]uint64{"beta": 9} }), release.OtherBoard, "not for channel stable"},
		"an older release":       {manifest(func(q *release.Request) { q.Sequences = map[string]uint64{"stable": 5} }), release.Stale, "sequence 5"},
		"a lower counter":        {manifest(func(q *release.Request) { q.Counter.Count = 1 }), release.Stale, "counter (0, 1)"},
		"a later generation":     {manifest(func(q *release.Request) { q.Counter.Generation = 1 }), sitedoc.Counter, ""},
		"a newer loader":         {manifest(func(q *release.Request) { q.MinLoader = "2.0.1" }), release.OtherBoard, "needs loader 2.0.1"},
		"another key's":          {[][]byte{cut(12, asAsked).Signed}, nil, "manifest"},
		"a forged manifest":      {[][]byte{forged}, nil, "manifest"},
		"a document as manifest": {[][]byte{{0xd2}}, nil, "document 0"},
		"an older document":      {[][]byte{signed(1, asIs)}, sitedoc.Succession, "epoch 1 does not rise above 1"},
		"documents backwards":    {[][]byte{signed(2, asIs), signed(1, asIs)}, sitedoc.Succession, "epoch 1 does not rise above 2"},
		"a gap in the chain":     {[][]byte{signed(4, asIs), good.Signed}, nil, "trusted roots"},
		"another site's":         {[][]byte{signed(2, func(d *sitedoc.Doc) { d.Site = "other" })}, sitedoc.Succession, "site is other"},
		"a forged document":      {[][]byte{bytes.Replace(signed(2, asIs), []byte("192.0.2.7"), []byte("192.0.2.8"), 1)}, nil, "site document"},
		"one behind the release": {[][]byte{good.Signed, signed(2, asIs)}, nil, "stands behind the manifest"},
		"too many":               {slices.Repeat([][]byte{signed(2, asIs)}, 16), nil, "one more than 15"},
		"no document":            {[][]byte{[]byte("<html>")}, nil, "document 0"},
		"half a document":        {[][]byte{good.Signed[:100]}, nil, "document 0"},
		"nothing, as something":  {nil, nil, "nothing to install"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, auth := range []tls.ClientAuthType{tls.RequireAndVerifyClientCert, tls.NoClientCert} {
				s := open(t, boots(row.docs...), func(_ *stage, c *tls.Config) { c.ClientAuth = auth })
				b := newBoard()
				r, err := s.board(t, patient).Ask(t.Context(), b)
				if row.says == "" && row.want == nil {
					if err != nil || r.Digest != good.Digest {
						t.Errorf("got %v, %v", r, err)
					}
					continue
				}
				fails(t, err, row.says)
				if row.want != nil && !errors.Is(err, row.want) {
					t.Errorf("got %v, want %v", err, row.want)
				}
				if r != nil || b.Trust.Epoch > 2 {
					t.Errorf("the board has %v, and trusts epoch %d", r, b.Trust.Epoch)
				}
			}
		})
	}
}

// The head of an answer, and how it is delimited, are bounded too.
func TestAnswersThatLie(t *testing.T) {
	body := string(cut(11, asAsked).Signed)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	endless := func(w io.Writer, piece string) {
		for {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
		}
	}
	for name, row := range map[string]struct {
		say  func(w io.Writer)
		says string
	}{
		"an endless head":   {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\n"); endless(w, "A: b\r\n") }, "header"},
		"an endless field":  {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nA: "); endless(w, "bbbbbb") }, "header"},
		"an endless status": {func(w io.Writer) { endless(w, "HTTP/1.1 200 OK") }, "header"},
		"endless news":      {func(w io.Writer) { endless(w, "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n") }, ""},
		"an endless body":   {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\n"); endless(w, body) }, "no length"},
		"endless chunks": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			endless(w, "4\r\naaaa\r\n")
		}, "no length"},
		"an endless chunk": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n")
			endless(w, body)
		}, "no length"},
		"more than fits": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")
			endless(w, body)
		}, "more than"},
		"a length too long": {func(w io.Writer) {
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body)+9, body)
		}, "unexpected EOF"},
		"a length too short": {func(w io.Writer) { fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%s", body) }, "document 0"},
		"two lengths":        {func(w io.Writer) { fmt.Fprintf(w, "HTTP/1.1 200 OK\r\n%sContent-Length: 5\r\n\r\n%s", length, body) }, "Content-Length"},
		"a length and chunks": {func(w io.Writer) {
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", length, len(body), body)
		}, "no length"},
		"a signed length": {func(w io.Writer) { fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n%s", body) }, "Content-Length"},
		"a part":          {func(w io.Writer) { fmt.Fprintf(w, "HTTP/1.1 206 Partial Content\r\n%s\r\n%s", length, body) }, "206"},
		"compressed": {func(w io.Writer) {
			z := zipped(body)
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(z), z)
		}, "coded"},
		"called compressed": {func(w io.Writer) {
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n%s\r\n%s", length, body)
		}, "coded"},
		"another protocol": {func(w io.Writer) { io.WriteString(w, "SSH-2.0-OpenSSH\r\n") }, "malformed HTTP"},
		"HTTP/2":           {func(w io.Writer) { io.WriteString(w, "HTTP/2.0 200 OK\r\n\r\n") }, ""},
		"an upgrade": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		}, "101"},
		"a refusal with a tale": {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 404 Not Found\r\n\r\n\x1b[2J"); endless(w, "tale ") }, `"\x1b[2Jtale`},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, out, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				row.say(conn)
				out.Flush()
			}, nil)
			r, err := s.board(t, patient).Ask(t.Context(), newBoard())
			if fails(t, err, row.says); r != nil {
				t.Error("it was taken")
			}
		})
	}
}

func zipped(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.Bytes()
}

// A redirect leads nowhere, not even back.
func TestRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int32
		s := open(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, wire.BootPath+"?again", status)
		}, nil)
		_, err := s.board(t, patient).Ask(t.Context(), newBoard())
		if fails(t, err, "a redirect"); asked.Load() != 1 {
			t.Errorf("%d: asked %d times", status, asked.Load())
		}
	}
}

// A server that drips, or says "later" without an end, keeps nobody longer than
// the limit for everything.
func TestServersThatTakeTheirTime(t *testing.T) {
	hasty := client.Limits{Silence: time.Minute, Idle: time.Minute, Total: 300 * time.Millisecond}
	later := func(after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	var asked atomic.Int32
	for name, do := range map[string]http.HandlerFunc{
		"a head that drips": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				drip(conn, r.Context(), "HTTP/1.1 200 OK\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
			}
		},
		"a body that drips": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			drip(w, r.Context(), strings.Repeat("x", 1000))
		},
		"later":             later("60"),
		"now, always":       later("0"),
		"later, for long":   later("65535"),
		"later, no time":    later("soon"),
		"nothing whatever":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"later, is counted": func(w http.ResponseWriter, r *http.Request) { asked.Add(1); later("0")(w, r) },
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := open(t, do, nil).board(t, hasty).Ask(t.Context(), newBoard())
			if took := time.Since(began); err == nil || took > 30*time.Second {
				t.Errorf("got %v after %v", err, took)
			}
		})
	}
	if n := asked.Load(); n > 10 {
		t.Errorf("asked %d times within %v", n, hasty.Total)
	}
}

// drip writes s a byte at a time.
func drip(w io.Writer, ctx context.Context, s string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range s {
		if _, err := io.WriteString(w, s[i:i+1]); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// A slot is flash that remembers where it was written.
type slot struct {
	data   []byte
	writes int
}

func (s *slot) ReadAt(b []byte, offset int64) (int, error) {
	return bytes.NewReader(s.data).ReadAt(b, offset)
}

func (s *slot) WriteAt(b []byte, offset int64) (int, error) {
	if need := int(offset) + len(b); need > len(s.data) {
		s.data = append(s.data, make([]byte, need-len(s.data))...)
	}
	s.writes++
	return copy(s.data[offset:], b), nil
}

// holds that what s has of an image is the beginning of it, in whole chunks.
func (s *slot) holds(t *testing.T, image []byte, chunk int) {
	t.Helper()
	if !bytes.HasPrefix(image, s.data) || len(s.data)%chunk != 0 && len(s.data) != len(image) {
		t.Errorf("flash has %d bytes that are not the image's", len(s.data))
	}
}

// Whatever a server sends as an image, flash has nothing but chunks that the
// manifest states, and the next honest server brings the rest.
func TestImagesThatLie(t *testing.T) {
	r := cut(11, asAsked)
	c := r.Manifest.Image
	image, list := r.Images[c.Name], r.Chunks[c.Name]
	spoilt := bytes.Clone(image)
	spoilt[20000] ^= 1
	half := 2 * c.ChunkSize
	part := func(first, last, size int, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, size))
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(body)
		}
	}
	all := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Write(body)
		}
	}
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
	}
	last := len(image) - 1
	for name, row := range map[string]struct {
		have  int // bytes from an earlier try
		image http.HandlerFunc
		list  http.HandlerFunc
		want  error
		says  string
	}{
		"a chunk that differs":          {0, all(spoilt), all(list), release.Mismatch, "the chunk at 16384"},
		"a chunk that differs, resumed": {half, part(half, last, len(image), spoilt[half:]), all(list), release.Mismatch, "the chunk at 16384"},
		"all, where a part was asked":   {half, all(image), all(list), nil, "200"},
		"another part":                  {half, part(0, last, len(image), image), all(list), nil, "range"},
		"a later part":                  {half, part(half+4096, last, len(image), image[half+4096:]), all(list), nil, "range"},
		"a part of another size":        {half, part(half, last+1, len(image)+1, append(bytes.Clone(image[half:]), 0)), all(list), nil, "range"},
		"a part that ends early":        {half, part(half, last-1, len(image), image[half:last]), all(list), nil, "range"},
		"a part without saying which": {half, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(image)-half))
			w.WriteHeader(206)
			w.Write(image[half:])
		}, all(list), nil, "range"},
		"a part, where all was asked": {0, part(0, last, len(image), image), all(list), nil, "206"},
		"a smaller image":             {0, all(image[:100]), all(list), nil, "100 bytes"},
		"a larger image":              {0, all(append(bytes.Clone(image), 0)), all(list), nil, "bytes"},
		"an empty image":              {0, status(http.StatusNoContent), all(list), nil, "204"},
		"not offered any more":        {half, status(http.StatusGone), all(list), client.ErrGone, "not offered"},
		"a list not offered any more": {half, all(image), status(http.StatusGone), client.ErrGone, "not offered"},
		"another list":                {0, all(image), all(release.ChunkList(spoilt, c.ChunkSize)), release.Mismatch, "chunk list"},
		"an endless list":             {0, all(image), all(make([]byte, 1<<22)), nil, "4194304 bytes"},
		"no list":                     {0, all(image), status(http.StatusNoContent), nil, "204"},
		"no range there":              {half, status(http.StatusRequestedRangeNotSatisfiable), all(list), nil, "416"},
	} {
		t.Run(name, func(t *testing.T) {
			var honest atomic.Bool
			s := open(t, func(w http.ResponseWriter, r *http.Request) {
				isList := strings.HasSuffix(r.URL.Path, c.Chunks.String())
				switch {
				case honest.Load() && isList:
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(list))
				case honest.Load():
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(image))
				case isList:
					row.list(w, r)
				default:
					row.image(w, r)
				}
			}, nil)
			srv, flash := s.board(t, patient), &slot{data: bytes.Clone(image[:row.have])}
			_, err := srv.Fetch(t.Context(), c, flash)
			fails(t, err, row.says)
			if row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			flash.holds(t, image, c.ChunkSize)
			honest.Store(true)
			if f, err := srv.Fetch(t.Context(), c, flash); err != nil || f.Resumed < int64(row.have) || !bytes.Equal(flash.data, image) {
				t.Errorf("afterwards: %+v, %v", f, err)
			}
		})
	}
}

// A connection that is cut at every point leaves flash as it should be, and what
// is withdrawn meanwhile is not gone on with.
func TestCutOffAndWithdrawn(t *testing.T) {
	r := cut(11, asAsked)
	c := r.Manifest.Image
	image, list := r.Images[c.Name], r.Chunks[c.Name]
	var serve, gone atomic.Int64 // how many bytes of the image are sent; whether it is not offered any more
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, c.Chunks.String()):
			w.Write(list)
		case gone.Load() != 0:
			w.WriteHeader(http.StatusGone)
		default:
			http.ServeContent(&short{ResponseWriter: w, left: serve.Load()}, r, "", time.Time{}, bytes.NewReader(image))
		}
	}, nil)
	srv, flash := s.board(t, patient), &slot{}
	for _, n := range []int64{0, 1, 4095, 4096, 4097, 9000} {
		serve.Store(n)
		had := len(flash.data)
		_, err := srv.Fetch(t.Context(), c, flash)
		if err == nil {
			t.Fatalf("cut off after %d bytes, and no error", n)
		}
		flash.holds(t, image, c.ChunkSize)
		if want := had + int(n)/c.ChunkSize*c.ChunkSize; len(flash.data) != want {
			t.Errorf("flash has %d bytes, want %d", len(flash.data), want)
		}
	}
	gone.Store(1)
	if _, err := srv.Fetch(t.Context(), c, flash); !errors.Is(err, client.ErrGone) {
		t.Errorf("got %v, want %v", err, client.ErrGone)
	}
	gone.Store(0)
	serve.Store(1 << 20)
	if _, err := srv.Fetch(t.Context(), c, flash); err != nil || !bytes.Equal(flash.data, image) {
		t.Errorf("at last: %v", err)
	}
}

// short ends the connection after so many bytes.
type short struct {
	http.ResponseWriter
	left int64
}

func (s *short) Write(b []byte) (int, error) {
	n, err := s.ResponseWriter.Write(b[:min(int64(len(b)), s.left)])
	if s.left -= int64(n); s.left == 0 || err != nil {
		http.NewResponseController(s.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// What a certificate comes as is bounded, and a report takes no answer but one.
func TestRenewAndReportAtALiar(t *testing.T) {
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		w.Write(make([]byte, 100000))
	}, nil)
	_, err := s.board(t, patient).Renew(t.Context(), []byte("request"))
	fails(t, err, "more than 2048 bytes")
	err = s.board(t, patient).Report(t.Context(), fleet.Report{Manifest: fleet.Digest{1}, Outcome: fleet.Confirmed})
	fails(t, err, "200")
}

// The address is dialled as it is, whatever the environment says of proxies.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	s := open(t, boots(), nil)
	if _, err := s.board(t, patient).Ask(t.Context(), newBoard()); !errors.Is(err, client.ErrNothing) {
		t.Errorf("got %v", err)
	}
}
