package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

const updateName = "update.lab"

// A hierarchy is a root that issues directly.
type hierarchy struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newHierarchy(t *testing.T) *hierarchy {
	t.Helper()
	shape := &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	h := &hierarchy{}
	c := h.issue(t, shape)
	h.key, h.certificate, h.pool = c.PrivateKey.(*ecdsa.PrivateKey), c.Leaf, x509.NewCertPool()
	h.pool.AddCert(c.Leaf)
	return h
}

// issue signs shape; the first one by itself.
func (h *hierarchy) issue(t *testing.T, shape *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if shape.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<60)); err != nil {
		t.Fatal(err)
	}
	shape.NotBefore = time.Unix(0, 0)
	if shape.NotAfter.IsZero() {
		shape.NotAfter = time.Now().Add(time.Hour)
	}
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

func (h *hierarchy) board(t *testing.T, name string) tls.Certificate {
	return h.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (h *hierarchy) server(t *testing.T) tls.Certificate {
	return h.issue(t, &x509.Certificate{DNSNames: []string{updateName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

// A vault is what a test's server has for version 2.
type vault struct {
	mine   tls.Certificate
	boards *x509.CertPool

	mu      sync.Mutex
	docs    [][]byte
	goods   map[fleet.MAC]server.Goods
	loaders map[fleet.MAC]server.Goods
	parts   map[fleet.Digest]*server.Blob
	gone    map[fleet.Digest]bool
	latched map[fleet.MAC]bool
	notYet  bool
	ahead   time.Duration // of the clock
	reports chan fleet.Report
}

func (v *vault) Certificate() (*tls.Certificate, error) { return &v.mine, nil }
func (v *vault) Boards() (*x509.CertPool, error)        { return v.boards, nil }
func (v *vault) locked(f func())                        { v.mu.Lock(); defer v.mu.Unlock(); f() }
func (v *vault) Latch(m fleet.MAC, _ []byte)            { v.locked(func() { v.latched[m] = true }) }
func (v *vault) Known(_ context.Context, d fleet.Device, m fleet.Digest) (known bool) {
	v.locked(func() { known = fleet.Sum(v.goods[d.MAC].Manifest) == m })
	return known
}

func (v *vault) Latched(_ context.Context, m fleet.MAC) (is bool, err error) {
	v.locked(func() { is = v.latched[m] })
	return is, nil
}

func (v *vault) Documents(_ context.Context, epoch uint64) (docs [][]byte, newest uint64, err error) {
	v.locked(func() {
		newest = uint64(len(v.docs))
		docs = slices.Clone(v.docs[min(epoch, newest):])
	})
	return docs, newest, nil
}

func (v *vault) Goods(_ context.Context, d fleet.Device, hello wire.Hello) (g server.Goods, err error) {
	v.locked(func() {
		g = v.goods[d.MAC]
		if hello.Updates {
			g = v.loaders[d.MAC]
		}
		if g.Manifest == nil {
			err = server.ErrNothing
		}
	})
	return g, err
}

func (v *vault) Part(_ context.Context, d fleet.Device, digest fleet.Digest) (b *server.Blob, err error) {
	v.locked(func() {
		b = v.parts[digest]
		switch {
		case v.notYet:
			b, err = nil, server.ErrNotYet
		case v.gone[digest]:
			b, err = nil, server.ErrGone
		case b == nil || v.goods[d.MAC].Manifest == nil:
			b, err = nil, server.ErrNothing
		}
	})
	return b, err
}

// A keep is a house that speaks version 2 too.
type keep struct {
	*house
	*vault
	authority, others *hierarchy // of boards, of servers
}

func openKeep(t *testing.T, renew func(server.Renewal) ([]byte, error)) *keep {
	t.Helper()
	return openKeepWith(t, server.Limits{}, renew)
}

func openKeepWith(t *testing.T, l server.Limits, renew func(server.Renewal) ([]byte, error)) *keep {
	t.Helper()
	k := &keep{authority: newHierarchy(t), others: newHierarchy(t)}
	k.vault = &vault{mine: k.others.server(t), boards: k.authority.pool, goods: map[fleet.MAC]server.Goods{}, parts: map[fleet.Digest]*server.Blob{},
		gone: map[fleet.Digest]bool{}, latched: map[fleet.MAC]bool{}, reports: make(chan fleet.Report, 100)}
	k.house = build(t, l)
	k.Secure = &server.Secure{Identity: k.vault, Library: k.vault, Latches: k.vault, Renew: renew,
		Reports: func(r fleet.Report) error { k.reports <- r; return nil }}
	k.Now = func() (now time.Time) {
		k.locked(func() { now = time.Now().Add(k.ahead) })
		return now
	}
	k.start(nil)
	return k
}

// admit enrols board n with a new certificate.
func (k *keep) admit(n byte) tls.Certificate {
	c := k.authority.board(k.t, mac(n).String())
	d := stable(n)
	d.Admissions = []fleet.Admission{{Certificate: fleet.Sum(c.Certificate[0])}}
	k.enrol(d)
	return c
}

// stock makes board n have a release with one part.
func (k *keep) stock(n byte, sequence uint64, part []byte) (server.Goods, fleet.Digest) {
	b, err := server.NewBlob(part, "1.0", wire.Slot2017*5)
	if err != nil {
		k.t.Fatal(err)
	}
	g := server.Goods{Version: "1.0", Sequence: sequence, Manifest: []byte{0xd2, byte(sequence)}}
	k.locked(func() { k.goods[mac(n)], k.parts[fleet.Sum(part)] = g, b })
	return g, fleet.Sum(part)
}

// client speaks as the holder of c; it keeps connections and TLS sessions.
func (k *keep) client(c tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: k.others.pool, ServerName: updateName,
		Certificates: []tls.Certificate{c}, ClientSessionCache: tls.NewLRUClientSessionCache(10)}}
	k.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func (k *keep) request(method, path string, body []byte) *http.Request {
	req, err := http.NewRequest(method, "https://"+k.addr+path, bytes.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	return req
}

// do asks and holds that the answer has that status.
func (k *keep) do(c *http.Client, req *http.Request, want int) (body []byte, head http.Header) {
	k.t.Helper()
	res, err := c.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		k.t.Fatal(err)
	}
	if res.StatusCode != want || res.ContentLength < 0 && want != http.StatusNoContent {
		k.t.Fatalf("%s %s: %s, %d bytes announced: %.100q; want %d", req.Method, req.URL.Path, res.Status, res.ContentLength, body, want)
	}
	return body, res.Header
}

func (k *keep) get(c *http.Client, path string, want int) []byte {
	k.t.Helper()
	body, _ := k.do(c, k.request("GET", path, nil), want)
	return body
}

// refused holds that no answer comes.
func (k *keep) refused(c *http.Client, path string) {
	k.t.Helper()
	if res, err := c.Do(k.request("GET", path, nil)); err == nil {
		res.Body.Close()
		k.t.Fatalf("%s: answered %s", path, res.Status)
	}
}

func bootPath(epoch, sequence uint64) string {
	h := wire.Hello{Chip: "esp32", Loader: "2.0.0", Channel: "stable", Epoch: epoch, Sequence: sequence}
	return wire.BootPath + "?" + h.Query()
}

func TestBootAnswers(t *testing.T) {
	k := openKeep(t, nil)
	board := k.client(k.admit(1))
	k.locked(func() {
		for range 20 {
			k.docs = append(k.docs, []byte{0xd8, 0x62, 0x80})
		}
	})
	k.get(board, bootPath(20, 0), http.StatusNoContent)
	k.expect("nothing")
	goods, _ := k.stock(1, 7, image(100))
	for _, c := range []struct {
		epoch, sequence uint64
		want            wire.Boot
		verdict         string
	}{
		{20, 6, wire.Boot{Manifest: goods.Manifest}, "offered"},
		{18, 6, wire.Boot{Site: k.docs[18:], Manifest: goods.Manifest}, "offered"},
		{18, 7, wire.Boot{Site: k.docs[18:]}, "taught"},
		{1, 6, wire.Boot{Site: k.docs[1 : 1+wire.MaxDocuments]}, "taught"},
		{99, 6, wire.Boot{Manifest: goods.Manifest}, ""},
	} {
		if got := k.get(board, bootPath(c.epoch, c.sequence), http.StatusOK); !bytes.Equal(got, c.want.Bytes()) {
			t.Errorf("epoch %d, sequence %d: got %x, want %x", c.epoch, c.sequence, got, c.want.Bytes())
		}
		if c.verdict != "" {
			k.expect(c.verdict)
		}
	}
	k.get(board, bootPath(20, 7), http.StatusNoContent)
	k.get(board, wire.BootPath+"?chip=esp32", http.StatusBadRequest)
	k.get(board, "/v2/elsewhere", http.StatusNotFound)
}

// A board is offered a higher generation whatever its sequence is.
func TestBootOfGenerations(t *testing.T) {
	k := openKeep(t, nil)
	board := k.client(k.admit(1))
	goods, _ := k.stock(1, 7, image(100))
	goods.Generation = 1
	k.locked(func() { k.goods[mac(1)] = goods })
	path := func(sequence uint64, c fleet.Counter) string {
		h := wire.Hello{Chip: "esp32", Loader: "2.0.0", Channel: "stable", Epoch: 1, Sequence: sequence, Counter: c}
		return wire.BootPath + "?" + h.Query()
	}
	k.get(board, path(math.MaxUint64, fleet.Counter{Count: math.MaxUint32}), http.StatusOK)
	k.expect("offered")
	k.get(board, path(6, fleet.Counter{Generation: 1, Count: 9}), http.StatusOK)
	k.expect("offered")
	k.get(board, path(7, fleet.Counter{Generation: 1}), http.StatusNoContent)
	k.get(board, path(math.MaxUint64, fleet.Counter{Generation: 1}), http.StatusNoContent)
	k.get(board, path(7, fleet.Counter{Generation: 2}), http.StatusNoContent)
}

// Each asker is told of its own kind of release: a loader of firmware, whatever loaders
// there are, and an application that asks for a loader of nothing else.
func TestBootOfLoaders(t *testing.T) {
	k := openKeep(t, nil)
	board := k.client(k.admit(1))
	firmware, _ := k.stock(1, 7, image(100))
	application := bootPath(1, 0) + "&kind=loader"
	k.get(board, application, http.StatusNoContent)
	newer := server.Goods{Version: "loader-2.1.0", Sequence: 1, Manifest: []byte{0xd2, 99}}
	k.locked(func() { k.loaders = map[fleet.MAC]server.Goods{mac(1): newer} })
	for path, want := range map[string][]byte{application: newer.Manifest, bootPath(1, 0): firmware.Manifest} {
		if got := k.get(board, path, http.StatusOK); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", path, got, want)
		}
	}
	k.get(board, bootPath(1, 7), http.StatusNoContent)
	k.get(board, bootPath(1, 0)+"&kind=firmware", http.StatusBadRequest)
}

func TestBlobInParts(t *testing.T) {
	k := openKeep(t, nil)
	board := k.client(k.admit(1))
	data := image(100_000)
	_, digest := k.stock(1, 7, data)
	path := wire.BlobsPath + digest.String()
	if got := k.get(board, path, http.StatusOK); !bytes.Equal(got, data) {
		t.Errorf("whole: %d bytes that differ", len(got))
	}
	k.expect("served")
	for spec, want := range map[string][]byte{
		"bytes=4096-":          data[4096:],
		"bytes=0-99":           data[:100],
		"bytes=99999-":         data[99_999:],
		"bytes=99999-99999999": data[99_999:],
	} {
		req := k.request("GET", path, nil)
		req.Header.Set("Range", spec)
		if got, _ := k.do(board, req, http.StatusPartialContent); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes that differ", spec, len(got))
		}
	}
	for _, spec := range []string{"bytes=100000-", "bytes=-5", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=+1-", "bytes=1"} {
		req := k.request("GET", path, nil)
		req.Header.Set("Range", spec)
		k.do(board, req, http.StatusRequestedRangeNotSatisfiable)
	}
	k.get(board, wire.BlobsPath+fleet.Digest{9}.String(), http.StatusNotFound)
	k.get(board, wire.BlobsPath+"sha256:12", http.StatusBadRequest)
	k.locked(func() { k.gone[digest] = true })
	k.get(board, path, http.StatusGone)
	k.locked(func() { k.notYet = true })
	if _, head := k.do(board, k.request("GET", path, nil), http.StatusServiceUnavailable); head.Get("Retry-After") == "" {
		t.Error("not at hand yet, and no Retry-After")
	}
}

// Only a certificate that the registry admits at this moment is served: T25.
func TestCertificatesRefused(t *testing.T) {
	k := openKeep(t, nil)
	good := k.admit(1)
	k.stock(1, 7, image(100))
	unknown := k.authority.board(t, mac(2).String())
	expired := k.authority.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: mac(1).String()}, NotAfter: time.Now().Add(-time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	asServer := k.authority.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: mac(1).String()},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for name, c := range map[string]tls.Certificate{
		"none":                     {},
		"unknown":                  unknown,
		"of another hierarchy":     k.others.board(t, mac(1).String()),
		"old, after a rotation":    k.authority.board(t, mac(1).String()),
		"expired":                  expired,
		"a server's":               asServer,
		"without a MAC":            k.authority.board(t, "update.lab"),
		"a MAC written otherwise":  k.authority.board(t, "24:0a:c4:00:00:01"),
		"another board's with its": {Certificate: good.Certificate, PrivateKey: unknown.PrivateKey},
	} {
		t.Run(name, func(t *testing.T) { k.refused(k.client(c), bootPath(1, 0)) })
	}
	k.get(k.client(good), bootPath(1, 0), http.StatusOK)
}

// A revocation ends what is open, and no ticket brings it back: T25.
func TestRevokedAtOnce(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		k := openKeep(t, nil)
		kept := k.client(k.admit(1))
		config := kept.Transport.(*http.Transport).TLSClientConfig
		config.MaxVersion = version
		k.stock(1, 7, image(100))
		k.get(kept, bootPath(1, 0), http.StatusOK)
		kept.CloseIdleConnections()
		resumed := false
		config.VerifyConnection = func(state tls.ConnectionState) error { resumed = state.DidResume; return nil }
		k.get(kept, bootPath(1, 0), http.StatusOK)
		if !resumed {
			t.Fatalf("TLS %x: the session was not resumed, so this test shows nothing", version)
		}
		d := stable(1)
		d.State = fleet.Revoked
		k.enrol(d)
		k.refused(kept, bootPath(1, 0)) // on the connection that is open
		k.refused(kept, bootPath(1, 0)) // on a new one, with a ticket
	}
}

// Who is revoked while a long answer runs does not get the end of it.
func TestRevokedInTheMiddle(t *testing.T) {
	k := openKeep(t, nil)
	board := k.client(k.admit(1))
	data := image(15 << 20)
	_, digest := k.stock(1, 7, data)
	res, err := board.Do(k.request("GET", wire.BlobsPath+digest.String(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.CopyN(io.Discard, res.Body, 1000); err != nil {
		t.Fatal(err)
	}
	d := stable(1)
	d.State = fleet.Revoked
	k.enrol(d)
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("got all of it, %d bytes more", n)
	}
}

// A grace ends by the clock.
func TestGraceEnds(t *testing.T) {
	k := openKeep(t, nil)
	c := k.authority.board(t, mac(1).String())
	d := stable(1)
	for until, served := range map[time.Duration]bool{time.Hour: true, -time.Hour: false} {
		d.Admissions = []fleet.Admission{{Certificate: fleet.Digest{1}}, {Certificate: fleet.Sum(c.Certificate[0]), Until: time.Now().Add(until)}}
		k.enrol(d)
		if served {
			k.get(k.client(c), bootPath(1, 0), http.StatusNoContent)
		} else {
			k.refused(k.client(c), bootPath(1, 0))
		}
	}
}

// Once a board has spoken version 2, whoever speaks version 1 in its name is not
// that board: T13.
func TestLatch(t *testing.T) {
	k := openKeep(t, nil)
	board := k.client(k.admit(1))
	k.publish(t, "stable", image(100))
	if got, err := io.ReadAll(io.LimitReader(k.call(mac(1).String()), 24)); err != nil || len(got) != 24 {
		t.Fatalf("before: %d bytes, %v", len(got), err)
	}
	k.get(board, bootPath(1, 0), http.StatusNoContent)
	silent(t, k.call(mac(1).String()))
}

func TestReports(t *testing.T) {
	k := openKeep(t, nil)
	board := k.client(k.admit(1))
	goods, _ := k.stock(1, 7, image(100))
	post := func(r fleet.Report, want int) {
		t.Helper()
		body, err := wire.ReportBytes(r)
		if err != nil {
			t.Fatal(err)
		}
		k.do(board, k.request("POST", wire.ReportPath, body), want)
	}
	r := fleet.Report{Manifest: fleet.Sum(goods.Manifest), Outcome: fleet.Failed, Cause: fleet.Flash}
	post(r, http.StatusNoContent)
	got, want := <-k.reports, r
	want.MAC, want.Time = mac(1), got.Time
	if got != want || got.Time.IsZero() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	post(r, http.StatusTooManyRequests)
	k.locked(func() { k.ahead = time.Minute })
	post(fleet.Report{Manifest: fleet.Digest{1}, Outcome: fleet.Confirmed}, http.StatusBadRequest)
	k.do(board, k.request("POST", wire.ReportPath, []byte("{}")), http.StatusBadRequest)
	k.do(board, k.request("POST", wire.ReportPath, make([]byte, 1<<20)), http.StatusBadRequest)
	post(r, http.StatusNoContent)
}

func TestRenew(t *testing.T) {
	ready := make(chan bool, 1)
	ready <- false
	k := openKeep(t, func(r server.Renewal) ([]byte, error) {
		if !<-ready {
			return nil, server.ErrNotYet
		}
		return []byte("certificate for " + r.Device.MAC.String()), nil
	})
	board := k.client(k.admit(1))
	request := func(name string) []byte {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	mine := request(mac(1).String())
	k.do(board, k.request("POST", wire.RenewPath, mine), http.StatusAccepted)
	ready <- true
	if got, _ := k.do(board, k.request("POST", wire.RenewPath, mine), http.StatusOK); string(got) != "certificate for "+mac(1).String() {
		t.Errorf("got %q", got)
	}
	k.do(board, k.request("POST", wire.RenewPath, request(mac(2).String())), http.StatusBadRequest)
	k.do(board, k.request("POST", wire.RenewPath, bytes.Replace(mine, []byte(mac(1).String()), []byte(mac(1).String()[:11]+"f"), 1)), http.StatusBadRequest)
	k.do(board, k.request("POST", wire.RenewPath, []byte("please")), http.StatusBadRequest)
	k.do(board, k.request("POST", wire.RenewPath, make([]byte, 1<<16)), http.StatusBadRequest)
}

// A board is asked to renew the certificate by which it asks, whatever else there is
// to say, and only then.
func TestRenewWanted(t *testing.T) {
	k := openKeep(t, nil)
	old, fresh := k.admit(1), k.admit(2)
	k.Secure.Stale = func(d fleet.Device, proved fleet.Digest) bool {
		return d.MAC == mac(1) && proved == fleet.Sum(old.Certificate[0])
	}
	for n, c := range map[byte]tls.Certificate{1: old, 2: fresh} {
		want := map[byte]string{1: "wanted"}[n]
		for _, status := range []int{http.StatusNoContent, http.StatusOK} {
			if status == http.StatusOK {
				k.stock(n, 1, image(100))
			}
			if _, h := k.do(k.client(c), k.request("GET", bootPath(1, 0), nil), status); h.Get(wire.RenewHeader) != want {
				t.Errorf("board %d, %d: %s: %q, want %q", n, status, wire.RenewHeader, h.Get(wire.RenewHeader), want)
			}
		}
	}
}

// A recorder keeps the lengths of the TLS records that it reads.
type recorder struct {
	net.Conn
	mu     sync.Mutex
	stream bytes.Buffer
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stream.Write(b[:n])
	return n, err
}

// largest returns the length of the largest record of application data.
func (r *recorder) largest() (n int) {
	for b := r.stream.Bytes(); len(b) >= 5; {
		size := int(b[3])<<8 | int(b[4])
		if b[0] == 23 {
			n = max(n, size)
		}
		b = b[min(len(b), 5+size):]
	}
	return n
}

// A board with a small buffer gets small records, the head included.
func TestSmallRecords(t *testing.T) {
	k := openKeep(t, nil)
	c := k.admit(1)
	data := image(300_000)
	_, digest := k.stock(1, 7, data)
	for asked, most := range map[string]int{"16384": 16384 + 64, "1024": 1024 + 64, "": 4096 + 64, "1": 4096 + 64} {
		board := k.client(c)
		var seen *recorder
		board.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			seen = &recorder{Conn: conn}
			return seen, err
		}
		req := k.request("GET", wire.BlobsPath+digest.String(), nil)
		req.Header.Set(wire.RecordHeader, asked)
		if got, _ := k.do(board, req, http.StatusOK); !bytes.Equal(got, data) {
			t.Errorf("record %q: other bytes", asked)
		}
		if n := seen.largest(); n > most || n < most/2 {
			t.Errorf("record %q: the largest has %d bytes, want %d at most", asked, n, most)
		}
	}
}

// Many boards of both versions at once.
func TestBothVersionsAtOnce(t *testing.T) {
	k := openKeep(t, nil)
	data := image(200_000)
	k.publish(t, "stable", data)
	var wg sync.WaitGroup
	for n := range byte(40) {
		c := k.admit(n)
		_, digest := k.stock(n, 7, data)
		wg.Go(func() {
			if n%2 == 0 {
				conn := k.call(mac(n).String())
				got, err := io.ReadAll(io.LimitReader(conn, int64(24+len(data))))
				if err != nil || !bytes.Equal(got[24:], data) {
					t.Errorf("board %d: %d bytes, %v", n, len(got), err)
				}
				conn.Close()
				return
			}
			if got := k.get(k.client(c), wire.BlobsPath+digest.String(), http.StatusOK); !bytes.Equal(got, data) {
				t.Errorf("board %d: other bytes", n)
			}
		})
	}
	wg.Wait()
}

// What is no TLS after the first byte costs nothing but its connection.
func TestHandshakeRubbish(t *testing.T) {
	k := openKeep(t, nil)
	for _, said := range []string{"\x16", "\x16\x03\x01\xff\xff", "\x16" + strings.Repeat("x", 1<<16)} {
		conn := k.dial(2)
		fmt.Fprint(conn, said)
		conn.CloseWrite()
		conn.SetReadDeadline(time.Now().Add(patience))
		io.Copy(io.Discard, conn)
	}
	k.get(k.client(k.admit(1)), bootPath(1, 0), http.StatusNoContent)
}
