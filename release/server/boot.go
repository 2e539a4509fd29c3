package server

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/wire"
)

// A session is one request of version 2, by a board that has proved who it is.
type session struct {
	*Server
	http.ResponseWriter
	request *http.Request
	device  fleet.Device
}

// answer asks anew who the board is, at every request: what was true at the
// handshake need not be true any more. Who is not served gets no answer, whatever
// it asks for.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	q := &session{Server: s, ResponseWriter: w, request: r}
	q.mustBeServed()
	if s.Secure.Latches != nil {
		s.Secure.Latches.Latch(q.device.MAC, r.TLS.PeerCertificates[0].Raw)
	}
	out := http.NewResponseController(w)
	out.SetWriteDeadline(time.Now().Add(s.Limits.Idle))
	if r.ContentLength != 0 {
		out.SetReadDeadline(time.Now().Add(s.Limits.Idle)) // net/http too reads what is left of a body
	}
	q.route()
}

// route takes the places of version 2, spelt as they are and in no other way.
func (q *session) route() {
	digest, isBlob := strings.CutPrefix(q.request.URL.Path, wire.BlobsPath)
	switch place := q.request.Method + " " + q.request.URL.Path; {
	case q.request.ContentLength < 0 || q.request.Method == "GET" && q.request.ContentLength > 0:
		q.Header().Set("Connection", "close") // where such a request ends, others may see otherwise
		q.refuse(http.StatusBadRequest, errors.New("request: a body where there is none, or of no stated length"))
	case place == "GET "+wire.BootPath:
		q.boot()
	case q.request.Method == "GET" && isBlob:
		q.blob(digest)
	case place == "POST "+wire.ReportPath:
		q.report()
	case place == "POST "+wire.RenewPath && q.Secure.Renew != nil:
		q.renew()
	default:
		q.refuse(http.StatusNotFound, errors.New("no such place"))
	}
}

// remoteOf returns where a request came from, as it stands in a visit.
func remoteOf(r *http.Request) net.Addr { return textAddr(r.RemoteAddr) }

type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

// boot answers what the board is to learn and to install.
func (q *session) boot() {
	hello, err := wire.ParseHello(q.request.URL.RawQuery)
	if err != nil {
		q.refuse(http.StatusBadRequest, err)
		return
	}
	answer, goods, err := q.documents(hello)
	if q.Secure.Stale != nil && q.Secure.Stale(q.device, q.proved()) {
		q.Header().Set(wire.RenewHeader, "wanted")
	}
	switch {
	case err != nil:
		q.trouble("library", err)
	case len(answer.Site) == 0 && answer.Manifest == nil:
		q.WriteHeader(http.StatusNoContent)
		q.told("nothing", "", 0, nil)
	default:
		body := answer.Bytes()
		q.Header().Set("Content-Type", "application/cbor-seq")
		sent, err := q.send(http.StatusOK, strings.NewReader(string(body)), int64(len(body)))
		q.told(offered(answer), goods.Version, sent, err)
	}
}

func offered(b wire.Boot) string {
	if b.Manifest == nil {
		return "taught"
	}
	return "offered"
}

// documents are those behind the board's epoch and, when no more will follow, the
// manifest of what it does not have.
func (q *session) documents(hello wire.Hello) (b wire.Boot, g Goods, err error) {
	ctx := q.request.Context()
	docs, newest, err := q.Secure.Library.Documents(ctx, hello.Epoch)
	if err != nil {
		return b, g, err
	}
	if hello.Epoch > newest {
		q.Log.Error("a board knows a later site document than this site has", "mac", q.device.MAC.String(), "epoch", hello.Epoch, "newest", newest)
	}
	if len(docs) > wire.MaxDocuments {
		b.Site = docs[:wire.MaxDocuments]
		return b, g, nil
	}
	b.Site = docs
	g, err = q.Secure.Library.Goods(ctx, q.device, hello)
	if errors.Is(err, ErrNothing) {
		return b, Goods{}, nil
	}
	if err != nil {
		return b, g, err
	}
	// Of another channel than the registry has, or of an older generation, a board tells
	// a sequence that means nothing here: let it judge the manifest. Of loaders it tells none.
	if hello.Channel != q.device.Channel || hello.Updates || hello.Counter.Generation < g.Generation || hello.Sequence < g.Sequence {
		b.Manifest = g.Manifest
	}
	return b, g, nil
}

// blob answers with a part of the release that the board may have.
func (q *session) blob(name string) {
	digest, err := fleet.ParseDigest(name)
	if err != nil {
		q.refuse(http.StatusBadRequest, err)
		return
	}
	part, err := q.Secure.Library.Part(q.request.Context(), q.device, digest)
	switch {
	case errors.Is(err, ErrNothing):
		q.refuse(http.StatusNotFound, err)
	case errors.Is(err, ErrGone):
		q.refuse(http.StatusGone, err)
	case errors.Is(err, ErrNotYet):
		q.later(http.StatusServiceUnavailable)
	case err != nil:
		q.trouble("shelf", err)
	default:
		q.deliver(part, digest)
	}
}

// deliver sends the part, or what the board asks of it.
func (q *session) deliver(part *Blob, digest fleet.Digest) {
	first, last, ranged, err := byteRange(q.request.Header.Values("Range"), part.Size())
	if err != nil {
		q.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(part.Size(), 10))
		q.refuse(http.StatusRequestedRangeNotSatisfiable, err)
		return
	}
	q.Header().Set("Content-Type", "application/octet-stream")
	status := http.StatusOK
	if ranged {
		status = http.StatusPartialContent
		q.Header().Set("Content-Range", "bytes "+strconv.FormatInt(first, 10)+"-"+strconv.FormatInt(last, 10)+"/"+strconv.FormatInt(part.Size(), 10))
	}
	size := last + 1 - first
	sent, err := q.send(status, io.NewSectionReader(part.file, first, size), size)
	verdict := "served"
	switch {
	case err == nil && last+1 == part.Size():
		q.pool.served()
	case err == nil:
		verdict = "served in part"
	default:
		verdict = "cut"
	}
	q.told(verdict, part.Version, sent, err)
}

// byteRange reads one range that begins somewhere, "bytes=4096-" or with an end;
// nothing more is asked by boards, and what else HTTP knows is refused. last is
// that of the bytes to be sent.
func byteRange(header []string, size int64) (first, last int64, ranged bool, err error) {
	if len(header) == 0 {
		return 0, size - 1, false, nil
	}
	spec, isBytes := strings.CutPrefix(header[0], "bytes=")
	from, to, isRange := strings.Cut(spec, "-")
	first, err = offset(from)
	if last = size - 1; err == nil && to != "" {
		last, err = offset(to)
		last = min(last, size-1)
	}
	if err != nil || !isBytes || !isRange || len(header) > 1 || first >= size || last < first {
		return 0, 0, false, errors.New("range: want bytes=FIRST- or bytes=FIRST-LAST, within the blob")
	}
	return first, last, true, nil
}

func offset(digits string) (int64, error) {
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err
}

// askAgain is how many bytes are sent on one word of the registry.
const askAgain = 4 << 20

// send sends the head, then size bytes of body, as long as some of them leave
// within every Limits.Idle. No record is larger than the board asked for.
func (q *session) send(status int, body io.Reader, size int64) (sent int64, err error) {
	out := http.NewResponseController(q.ResponseWriter)
	q.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	q.WriteHeader(status)
	out.Flush() // or the head would go into one record with the first of the body
	buf := make([]byte, recordSize(q.request.Header.Get(wire.RecordHeader)))
	for next := int64(askAgain); sent < size; {
		if sent >= next {
			next += askAgain
			q.mustBeServed()
		}
		n, err := body.Read(buf[:min(int64(len(buf)), size-sent)])
		if n == 0 && err != nil {
			return sent, err
		}
		out.SetWriteDeadline(time.Now().Add(q.Limits.Idle))
		w, err := q.Write(buf[:n])
		sent += int64(w)
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// recordSize is how much goes out at once to a client that asked for so much.
func recordSize(asked string) int {
	n, err := strconv.Atoi(asked)
	if err != nil || n < wire.RecordMin || n > wire.RecordMax {
		return wire.RecordDefault // small: thousands of boards may have one each under way
	}
	return n
}

// mustBeServed asks the registry who the board is, and ends the connection when
// it is not served any more.
func (q *session) mustBeServed() {
	d, err := q.identify(q.request.Context(), remoteOf(q.request), q.request.TLS)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	q.device = d
}

// report takes what the board says of a release.
func (q *session) report() {
	body, err := q.body(wire.ReportLimit)
	if err != nil {
		q.refuse(http.StatusBadRequest, err)
		return
	}
	r, err := wire.ParseReport(body)
	if err == nil && !q.Secure.Library.Known(q.request.Context(), q.device, r.Manifest) {
		err = errors.New("report: of a release that this board was never offered")
	}
	if err != nil {
		q.refuse(http.StatusBadRequest, err)
		return
	}
	if !q.pace.allows(q.device.MAC, q.Now()) {
		q.later(http.StatusTooManyRequests)
		return
	}
	r.MAC, r.Time = q.device.MAC, q.Now()
	if q.Secure.Reports != nil {
		if err := q.Secure.Reports(r); err != nil {
			q.trouble("reports", err)
			return
		}
	}
	q.WriteHeader(http.StatusNoContent)
	q.told(strings.TrimSpace(string(r.Outcome)+" "+string(r.Cause)), "", 0, nil)
}

func (q *session) body(limit int) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(q.ResponseWriter, q.request.Body, int64(limit)))
}

// renew takes a request for a certificate, and answers with it once it is made.
func (q *session) renew() {
	wish, err := q.wish()
	if err != nil {
		q.refuse(http.StatusBadRequest, err)
		return
	}
	certificate, err := q.Secure.Renew(wish)
	switch {
	case errors.Is(err, ErrNotYet):
		q.later(http.StatusAccepted)
		q.told("asked to renew", "", 0, nil)
	case err != nil:
		q.trouble("renewals", err)
	default:
		q.Header().Set("Content-Type", "application/pkix-cert")
		sent, err := q.send(http.StatusOK, strings.NewReader(string(certificate)), int64(len(certificate)))
		q.told("renewed", "", sent, err)
	}
}

// proved is the certificate by which the board asks.
func (q *session) proved() fleet.Digest { return fleet.Sum(q.request.TLS.PeerCertificates[0].Raw) }

func (q *session) wish() (w Renewal, err error) {
	body, err := q.body(wire.RequestLimit)
	if err != nil {
		return w, err
	}
	w.Device, w.Proved = q.device, q.proved()
	if w.Request, err = x509.ParseCertificateRequest(body); err != nil {
		return w, err
	}
	if w.Request.Subject.CommonName != q.device.MAC.String() {
		return w, errors.New("request: for another MAC than the board's")
	}
	return w, w.Request.CheckSignature()
}

// refuse answers that a request is no good, in a line for people.
func (q *session) refuse(status int, err error) {
	q.answerText(status, err.Error())
	q.told("refused", "", 0, err)
}

func (q *session) answerText(status int, text string) {
	q.Header().Set("Content-Type", "text/plain; charset=utf-8")
	q.Header().Set("Content-Length", strconv.Itoa(len(text)+1))
	q.WriteHeader(status)
	io.WriteString(q, text+"\n")
}

// later answers that the same request may do better soon.
func (q *session) later(status int) {
	q.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	q.answerText(status, "later")
}

// retryAfter is when to ask again for what is not there yet.
const retryAfter = 2 * time.Second

func (q *session) trouble(who string, err error) {
	q.Log.Error("cannot answer", "mac", q.device.MAC.String(), "asked", who, "error", err)
	q.later(http.StatusServiceUnavailable)
}

func (q *session) told(verdict, version string, sent int64, err error) {
	q.tell(q.device.MAC, remoteOf(q.request), told{protocol: "v2", verdict: verdict, version: version, sent: sent, err: err, known: true})
}

// A told is what a visit of version 2 came to. Its protocol is "tls" as long as
// the client has not proved to be a board that is served.
type told struct {
	protocol, verdict, version string

	sent  int64
	err   error
	known bool // an enrolled board
}

// tell logs it, and makes a visit of it when the board is enrolled.
func (s *Server) tell(m fleet.MAC, from net.Addr, what told) {
	v := fleet.Visit{MAC: m, Time: s.Now(), Remote: from.String(), Protocol: what.protocol,
		Version: what.version, Sent: what.sent, Verdict: what.verdict}
	line := []slog.Attr{
		slog.String("mac", m.String()), slog.String("remote", v.Remote), slog.String("protocol", v.Protocol),
		slog.String("version", v.Version), slog.Int64("bytes", v.Sent), slog.String("verdict", v.Verdict),
	}
	if what.err != nil {
		line = append(line, slog.Any("error", what.err))
	}
	s.telling.aside(func() {
		s.Log.LogAttrs(context.Background(), level(v.Verdict), "visit", line...)
		if s.Visits != nil && what.known {
			s.Visits(v)
		}
	})
}

// A pace holds boards to one report every so often.
type pace struct {
	mu   sync.Mutex
	last map[fleet.MAC]time.Time
}

const (
	paceOf   = retryAfter // between two reports of one board
	paceKept = 1 << 16    // boards, until those that may report again are forgotten
)

func (p *pace) allows(m fleet.MAC, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last[m]) < paceOf {
		return false
	}
	if len(p.last) >= paceKept || p.last == nil {
		p.forget(now)
	}
	p.last[m] = now
	return true
}

func (p *pace) forget(now time.Time) {
	kept := map[fleet.MAC]time.Time{}
	for m, at := range p.last {
		if now.Sub(at) < paceOf {
			kept[m] = at
		}
	}
	p.last = kept
}
