package ocsp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	xocsp "golang.org/x/crypto/ocsp"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/ocsp"
)

// A registry holds what each serial's certificate came to.
type registry map[fleet.Serial]*pki.Revocation

func (r registry) Revocation(_ context.Context, s fleet.Serial) (*pki.Revocation, error) {
	end, ok := r[s]
	if !ok {
		return nil, fmt.Errorf("serial %s: %w", s, fleet.ErrUnknown)
	}
	return end, nil
}

// broken is a registry that cannot be read.
type broken struct{ error }

func (b broken) Revocation(context.Context, fleet.Serial) (*pki.Revocation, error) {
	return nil, b.error
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newKey() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func newAuthority() *pki.Authority {
	return must(pki.NewAuthority(pki.Boards, "lab", newKey(), newKey(), pki.DefaultTemplates()))
}

func newSigner(a *pki.Authority, now time.Time) ocsp.Signer {
	key := newKey()
	return ocsp.Signer{CA: a.CA, Certificate: must(a.IssueResponder(key.Public(), now)), Key: key}
}

// A site is an authority with a responder, and boards in three states.
type site struct {
	*pki.Authority
	signer                 ocsp.Signer
	boards                 registry
	good, revoked, unknown *x509.Certificate
	ended                  time.Time
}

func newSite(now time.Time) *site {
	a := newAuthority()
	s := &site{Authority: a, signer: newSigner(a, now), ended: now.Add(-time.Hour).UTC().Truncate(time.Second)}
	board := func(last byte) *x509.Certificate {
		return must(a.IssueBoard(fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, last}, now)).Certificate
	}
	s.good, s.revoked, s.unknown = board(1), board(2), board(3)
	s.boards = registry{
		pki.SerialOf(s.good):    nil,
		pki.SerialOf(s.revoked): {Serial: pki.SerialOf(s.revoked), Time: s.ended, Reason: "stolen", Final: true},
	}
	return s
}

func (s *site) responder(r ocsp.Registry, now time.Time) *ocsp.Responder {
	return must(ocsp.New(r, func() time.Time { return now }, slog.New(slog.DiscardHandler), s.signer))
}

func post(h http.Handler, der []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(der))
	req.Header.Set("Content-Type", "application/ocsp-request")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

var now = time.Date(2026, 11, 21, 10, 30, 0, 5, time.UTC)

func TestAnswers(t *testing.T) {
	s := newSite(now)
	h := s.responder(s.boards, now)
	for _, row := range []struct {
		name string
		cert *x509.Certificate
		want int
	}{
		{"good", s.good, xocsp.Good},
		{"revoked", s.revoked, xocsp.Revoked},
		{"never issued to a board", s.unknown, xocsp.Unknown},
		{"the responder itself", s.signer.Certificate, xocsp.Unknown},
		{"a serial that is too long", &x509.Certificate{SerialNumber: new(big.Int).Lsh(big.NewInt(1), 150)}, xocsp.Unknown},
		{"a negative serial", &x509.Certificate{SerialNumber: big.NewInt(-5)}, xocsp.Unknown},
		{"serial zero", &x509.Certificate{SerialNumber: big.NewInt(0)}, xocsp.Unknown},
	} {
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			t.Run(fmt.Sprintf("%s, %s", row.name, hash), func(t *testing.T) {
				der := must(xocsp.CreateRequest(row.cert, s.CA, &xocsp.RequestOptions{Hash: hash}))
				text := base64.StdEncoding.EncodeToString(der)
				for how, w := range map[string]*httptest.ResponseRecorder{
					"POST": post(h, der), "GET": get(h, "/"+url.PathEscape(text)), "GET, not escaped": get(h, "/"+text),
				} {
					if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/ocsp-response" {
						t.Fatalf("%s: status %d, %v", how, w.Code, w.Header())
					}
					a, err := xocsp.ParseResponseForCert(w.Body.Bytes(), row.cert, s.CA)
					if err != nil {
						t.Fatalf("%s: %v", how, err)
					}
					if a.Status != row.want || a.IssuerHash != hash {
						t.Errorf("%s: status %d by %s, want %d by %s", how, a.Status, a.IssuerHash, row.want, hash)
					}
					if !a.ThisUpdate.Equal(now.Truncate(time.Second)) || a.NextUpdate.Sub(a.ThisUpdate) != ocsp.Validity {
						t.Errorf("%s: from %s to %s", how, a.ThisUpdate, a.NextUpdate)
					}
					if a.Status == xocsp.Revoked && (!a.RevokedAt.Equal(s.ended) || a.RevocationReason != xocsp.KeyCompromise) {
						t.Errorf("%s: revoked %s for reason %d", how, a.RevokedAt, a.RevocationReason)
					}
				}
			})
		}
	}
}

// Whatever goes wrong, nothing is signed.
func TestNothingSigned(t *testing.T) {
	s := newSite(now)
	h := s.responder(s.boards, now)
	question := must(xocsp.CreateRequest(s.good, s.CA, nil))
	withType := func(kind string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(question))
		req.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w
	}
	method := func(m string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(m, "/", bytes.NewReader(question)))
		return w
	}
	for _, row := range []struct {
		name string
		got  *httptest.ResponseRecorder
		code int
		body []byte // of status 200
	}{
		{"rubbish", post(h, []byte("rubbish")), 200, xocsp.MalformedRequestErrorResponse},
		{"nothing", post(h, nil), 200, xocsp.MalformedRequestErrorResponse},
		{"something behind", post(h, append(bytes.Clone(question), 0)), 200, xocsp.MalformedRequestErrorResponse},
		{"cut short", post(h, question[:len(question)-1]), 200, xocsp.MalformedRequestErrorResponse},
		{"nothing by GET", get(h, "/"), 200, xocsp.MalformedRequestErrorResponse},
		{"another CA", post(h, must(xocsp.CreateRequest(s.good, newAuthority().CA, nil))), 200, xocsp.UnauthorizedErrorResponse},
		{"the root as CA", post(h, must(xocsp.CreateRequest(s.good, s.Root, nil))), 200, xocsp.UnauthorizedErrorResponse},
		{"the registry fails", post(s.responder(broken{errors.New("gone")}, now), question), 200, xocsp.TryLaterErrorResponse},
		{"the responder's certificate has ended", post(s.responder(s.boards, now.AddDate(0, 0, 90)), question), 200, xocsp.TryLaterErrorResponse},
		{"a body too long", post(h, make([]byte, 2049)), http.StatusRequestEntityTooLarge, nil},
		{"a path too long", get(h, "/"+strings.Repeat("A", 4096)), http.StatusRequestURITooLong, nil},
		{"no base64", get(h, "/-_-_"), http.StatusBadRequest, nil},
		{"another type", withType("text/plain"), http.StatusUnsupportedMediaType, nil},
		{"PUT", method(http.MethodPut), http.StatusMethodNotAllowed, nil},
		{"HEAD", method(http.MethodHead), http.StatusMethodNotAllowed, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.got.Code != row.code || row.body != nil && !bytes.Equal(row.got.Body.Bytes(), row.body) {
				t.Errorf("status %d, % x; want %d, % x", row.got.Code, row.got.Body, row.code, row.body)
			}
			if a, err := xocsp.ParseResponse(row.got.Body.Bytes(), s.CA); err == nil {
				t.Errorf("signed: status %d", a.Status)
			}
		})
	}
}

// While the CA is renewed, each CA's certificates are answered for by its own
// signer.
func TestTwoCAs(t *testing.T) {
	s, renewed := newSite(now), newSite(now)
	for serial, end := range renewed.boards {
		s.boards[serial] = end
	}
	h := must(ocsp.New(s.boards, func() time.Time { return now }, slog.New(slog.DiscardHandler), s.signer, renewed.signer))
	for name, each := range map[string]*site{"old": s, "new": renewed} {
		w := post(h, must(xocsp.CreateRequest(each.revoked, each.CA, nil)))
		a, err := xocsp.ParseResponseForCert(w.Body.Bytes(), each.revoked, each.CA)
		if err != nil || a.Status != xocsp.Revoked {
			t.Errorf("%s CA: %+v, error %v", name, a, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	s := newSite(now)
	board := must(s.IssueBoard(fleet.MAC{2}, now))
	for _, row := range []struct {
		name    string
		signers []ocsp.Signer
		want    string
	}{
		{"nobody", nil, "no signer"},
		{"another key", []ocsp.Signer{{s.CA, s.signer.Certificate, newKey()}}, "key"},
		{"another CA", []ocsp.Signer{{newAuthority().CA, s.signer.Certificate, s.signer.Key}}, "not by the boards CA"},
		{"a board's certificate", []ocsp.Signer{{s.CA, board.Certificate, board.Key}}, "not one for OCSP"},
	} {
		if _, err := ocsp.New(s.boards, time.Now, slog.New(slog.DiscardHandler), row.signers...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", row.name, err, row.want)
		}
	}
}

// openssl asks the running responder, believes its certificate, and sees a
// revocation at the next question.
func TestOpenSSL(t *testing.T) {
	present := time.Now()
	s := newSite(present)
	server := httptest.NewServer(s.responder(s.boards, present))
	defer server.Close()
	dir := t.TempDir()
	file := func(name string, c ...*x509.Certificate) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pki.CertificatePEM(c...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root, ca := file("root.pem", s.Root), file("ca.pem", s.CA)
	ask := func(url string, c *x509.Certificate, more ...string) string {
		t.Helper()
		args := []string{"-url", url, "-CAfile", root, "-issuer", ca, "-verify_other", ca, "-cert", file("board.pem", c)}
		out, err := exec.Command("openssl", slices.Concat([]string{"ocsp"}, more, args)...).CombinedOutput()
		if err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatalf("openssl is needed to judge answers: %v", err)
		}
		return string(out)
	}
	for _, row := range []struct {
		name string
		got  string
		want []string
	}{
		{"good", ask(server.URL, s.good), []string{"Response verify OK", "board.pem: good"}},
		{"good, without a nonce", ask(server.URL, s.good, "-no_nonce"), []string{"Response verify OK", "board.pem: good"}},
		{"good, by SHA-256", ask(server.URL, s.good, "-sha256"), []string{"Response verify OK", "board.pem: good"}},
		{"revoked", ask(server.URL, s.revoked), []string{"Response verify OK", "board.pem: revoked", "keyCompromise"}},
		{"unknown", ask(server.URL, s.unknown), []string{"Response verify OK", "board.pem: unknown"}},
	} {
		for _, want := range row.want {
			if !strings.Contains(row.got, want) {
				t.Errorf("%s: no %q in\n%s", row.name, want, row.got)
			}
		}
	}
	serial := pki.SerialOf(s.good)
	s.boards[serial] = &pki.Revocation{Serial: serial, Time: present, Reason: "retired", Final: true}
	if got := ask(server.URL, s.good); !strings.Contains(got, "board.pem: revoked") {
		t.Errorf("after the revocation:\n%s", got)
	}
	stale := httptest.NewServer(s.responder(s.boards, present.Add(-time.Hour)))
	defer stale.Close()
	if got := ask(stale.URL, s.revoked); !strings.Contains(got, "Status times invalid") {
		t.Errorf("an answer of an hour ago:\n%s", got)
	}
	failing := httptest.NewServer(s.responder(broken{errors.New("gone")}, present))
	defer failing.Close()
	if got := ask(failing.URL, s.good); strings.Contains(got, "board.pem") || !strings.Contains(got, "trylater") {
		t.Errorf("the registry fails:\n%s", got)
	}
}

// No request makes the responder fall over, or call good what is not.
func FuzzRequest(f *testing.F) {
	s := newSite(now)
	h := s.responder(s.boards, now)
	for _, c := range []*x509.Certificate{s.good, s.revoked, s.unknown} {
		f.Add(must(xocsp.CreateRequest(c, s.CA, nil)))
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, w := range []*httptest.ResponseRecorder{post(h, der), get(h, "/"+base64.StdEncoding.EncodeToString(der))} {
			body := must(io.ReadAll(w.Body))
			a, err := xocsp.ParseResponse(body, s.CA)
			if err == nil && a.Status == xocsp.Good && a.SerialNumber.Cmp(s.good.SerialNumber) != 0 {
				t.Errorf("serial %x is good", a.SerialNumber)
			}
		}
	})
}
