package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/sitedoc"
	"github.com/tcpboot/tcpboot/release/wire"
)

// ErrRefused says that the server ended the connection without an answer: it does
// so with boards whose certificate is not in force.
var ErrRefused = errors.New("the server does not serve this certificate: unknown, revoked or replaced")

// ErrNothing says that the server has nothing to install.
var ErrNothing = errors.New("nothing to install")

// ErrGone says that what was being fetched is not offered any more.
var ErrGone = errors.New("not offered any more")

// A Server is an image server of version 2, as one board sees it.
type Server struct {
	address string
	http    *http.Client
	limits  Limits
}

// An Identity is what a board proves itself with, and what it wants proved.
type Identity struct {
	Certificate tls.Certificate
	Servers     *x509.CertPool // the root of the image servers
	Name        string         // what the server proves to be: the site document's update name
}

// Secure returns the server at address, a host and port. Nothing is dialled yet.
// Close it.
func Secure(address string, id Identity, l Limits) *Server {
	l = l.orDefaults()
	dialer := &net.Dialer{Timeout: l.Silence}
	return &Server{address: address, limits: l, http: &http.Client{
		Timeout: l.Total,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, addr)
				return &patient{Conn: conn, wait: l.Idle}, err
			},
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS12, RootCAs: id.Servers, ServerName: id.Name,
				Certificates: []tls.Certificate{id.Certificate},
			},
			TLSHandshakeTimeout:    l.Silence,
			ResponseHeaderTimeout:  l.Idle,
			MaxResponseHeaderBytes: wire.HeaderLimit,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a redirect, which boards do not follow")
		},
	}}
}

// Close ends the connection that is kept.
func (s *Server) Close() { s.http.CloseIdleConnections() }

// A Board is a board of version 2: what it is, and whom it trusts.
type Board struct {
	release.Board
	Trust   *sitedoc.Doc // the newest site document that it knows; Ask puts its successors here
	Version string       // of what it runs; "": nothing
}

// Ask says hello, follows the site documents, and returns the release to install:
// signed by whom they name, and for this board. Its images are still to be
// fetched.
func (s *Server) Ask(ctx context.Context, b *Board) (*release.Release, error) {
	for {
		learned, r, err := s.ask(ctx, b)
		if err != nil || r != nil {
			return r, err
		}
		if !learned {
			return nil, ErrNothing
		}
	}
}

// ask asks once. A server cannot make it go on for ever: each document that it
// learns has a higher epoch than the last, and roots have signed it.
func (s *Server) ask(ctx context.Context, b *Board) (learned bool, r *release.Release, err error) {
	hello := wire.Hello{Updates: b.Kind == sitedoc.Loader, Chip: b.Chip, Loader: b.Loader, Channel: b.Channel, Epoch: b.Trust.Epoch,
		Counter: b.Counter, Sequence: b.Sequence, Version: b.Version}
	res, err := s.get(ctx, wire.BootPath+"?"+hello.Query(), 0, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return false, nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNoContent {
		return false, nil, nil
	}
	body, err := whole(res, wire.BootLimit)
	if err != nil {
		return false, nil, err
	}
	answer, err := wire.ParseBoot(body)
	if err != nil {
		return false, nil, err
	}
	for _, signed := range answer.Site {
		next, err := b.Trust.Follow(signed)
		if err != nil {
			return false, nil, err
		}
		b.Trust = next
	}
	if answer.Manifest == nil {
		return len(answer.Site) > 0, nil, nil
	}
	r, err = b.judge(answer.Manifest)
	return true, r, err
}

// judge proves a manifest, as a board does before it erases anything.
func (b *Board) judge(signed []byte) (*release.Release, error) {
	r, err := release.Parse(signed)
	if err != nil {
		return nil, err
	}
	if _, err := release.Verify(r, release.Trust{Site: b.Trust}); err != nil {
		return nil, err
	}
	if err := r.Manifest.CheckBoard(b.Board); err != nil {
		return nil, err
	}
	return r, nil
}

// A Flash keeps an image while it is fetched. What is read from where nothing was
// written is anything.
type Flash interface {
	io.ReaderAt
	io.WriterAt
}

// Fetched counts what an Image call has done.
type Fetched struct {
	Bytes   int64 // that came over the network
	Resumed int64 // that were there already
}

// Fetch fetches a component of a release into flash, chunk by chunk: each is
// compared with the manifest before it is written. Chunks that are there from an
// earlier try are not fetched again, whoever put them there, for they are compared
// too.
func (s *Server) Fetch(ctx context.Context, c release.Component, flash Flash) (f Fetched, err error) {
	list, err := s.list(ctx, c)
	if err != nil {
		return f, err
	}
	i := &install{Component: c, list: list, flash: flash, buf: make([]byte, c.ChunkSize)}
	if f.Resumed, err = i.present(); err != nil || f.Resumed == c.Size {
		return f, err
	}
	res, err := s.blob(ctx, c.Digest, f.Resumed, c.Size)
	if err != nil {
		return f, err
	}
	defer res.Body.Close()
	f.Bytes, err = i.take(res.Body, f.Resumed)
	return f, err
}

// Blob fetches what has that digest, a slot of it at most, and judges none of it.
func (s *Server) Blob(ctx context.Context, digest fleet.Digest, w io.Writer) error {
	res, err := s.get(ctx, wire.BlobsPath+digest.String(), 0, http.StatusOK)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.ContentLength > s.limits.Slot {
		return fmt.Errorf("%v: %d bytes, more than the slot of %d", digest, res.ContentLength, s.limits.Slot)
	}
	_, err = io.Copy(w, res.Body)
	return err
}

// list fetches the digests of the chunks.
func (s *Server) list(ctx context.Context, c release.Component) ([]byte, error) {
	chunks := (c.Size + int64(c.ChunkSize) - 1) / int64(c.ChunkSize)
	res, err := s.blob(ctx, c.Chunks, 0, chunks*int64(len(fleet.Digest{})))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	list, err := whole(res, release.MaxChunkList)
	if err != nil {
		return nil, err
	}
	return list, c.CheckList(list)
}

// blob asks for a blob of so many bytes, from an offset on. It takes no answer that
// is another part of it, or of something else: that would be found out chunk by
// chunk, and only after it had come.
func (s *Server) blob(ctx context.Context, digest fleet.Digest, from, size int64) (*http.Response, error) {
	want, span := http.StatusOK, ""
	if from > 0 {
		want, span = http.StatusPartialContent, fmt.Sprintf("bytes %d-%d/%d", from, size-1, size)
	}
	res, err := s.get(ctx, wire.BlobsPath+digest.String(), from, want)
	if err != nil {
		return nil, err
	}
	switch got := res.Header.Get("Content-Range"); {
	case got != span:
		err = fmt.Errorf("%v: the answer has range %.60q, want %q", digest, got, span)
	case res.ContentLength != size-from:
		err = fmt.Errorf("%v: the answer has %d bytes, want %d", digest, res.ContentLength, size-from)
	default:
		return res, nil
	}
	res.Body.Close()
	return nil, err
}

// An install is one component on its way into flash.
type install struct {
	release.Component
	list  []byte // of digests, proved
	flash Flash
	buf   []byte // one chunk
}

// chunk returns the space for the chunk at offset.
func (i *install) chunk(offset int64) []byte {
	return i.buf[:min(int64(i.ChunkSize), i.Size-offset)]
}

// good reports whether data is what the chunk at offset is to be.
func (i *install) good(offset int64, data []byte) bool {
	at := offset / int64(i.ChunkSize) * int64(len(fleet.Digest{}))
	sum := fleet.Sum(data)
	return string(sum[:]) == string(i.list[at:at+int64(len(sum))])
}

// present returns how many bytes, from the beginning, need not be fetched.
func (i *install) present() (offset int64, err error) {
	for offset < i.Size {
		data := i.chunk(offset)
		if _, err := i.flash.ReadAt(data, offset); err != nil && !errors.Is(err, io.EOF) {
			return offset, err
		}
		if !i.good(offset, data) {
			break
		}
		offset += int64(len(data))
	}
	return offset, nil
}

// take writes what comes, from offset to the end.
func (i *install) take(body io.Reader, offset int64) (n int64, err error) {
	for offset < i.Size {
		data := i.chunk(offset)
		if _, err := io.ReadFull(body, data); err != nil {
			return n, fmt.Errorf("component %s: %d of %d bytes: %w", i.Name, offset, i.Size, short(err))
		}
		n += int64(len(data))
		if !i.good(offset, data) {
			return n, fmt.Errorf("component %s: the chunk at %d is not what the manifest states: %w", i.Name, offset, release.Mismatch)
		}
		if _, err := i.flash.WriteAt(data, offset); err != nil {
			return n, err
		}
		offset += int64(len(data))
	}
	return n, nil
}

// Report tells the server how a release fared.
func (s *Server) Report(ctx context.Context, r fleet.Report) error {
	body, err := wire.ReportBytes(r)
	if err != nil {
		return err
	}
	res, err := s.do(ctx, http.MethodPost, wire.ReportPath, strings.NewReader(string(body)), func(h http.Header) {
		h.Set("Content-Type", "application/cbor")
	}, http.StatusNoContent)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Renew asks for a certificate by a PKCS #10 request in DER, until it is there or
// ctx ends, and returns it in DER. Nothing of it is judged.
func (s *Server) Renew(ctx context.Context, request []byte) ([]byte, error) {
	res, err := again(ctx, time.Time{}, func() (*http.Response, error) {
		return s.do(ctx, http.MethodPost, wire.RenewPath, strings.NewReader(string(request)), func(h http.Header) {
			h.Set("Content-Type", "application/pkcs10")
		}, http.StatusOK)
	})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return whole(res, wire.CertificateLimit)
}

// get asks for what lies at path, from an offset on, and takes answers of those
// statuses.
func (s *Server) get(ctx context.Context, path string, from int64, want ...int) (*http.Response, error) {
	return again(ctx, time.Now().Add(s.limits.Total), func() (*http.Response, error) {
		return s.do(ctx, http.MethodGet, path, nil, func(h http.Header) {
			if from > 0 {
				h.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
			}
		}, want...)
	})
}

// again asks until the answer is not to come later, or later than giveUp where
// there is such a time.
func again(ctx context.Context, giveUp time.Time, ask func() (*http.Response, error)) (*http.Response, error) {
	for {
		res, err := ask()
		var later *laterError
		if !errors.As(err, &later) {
			return res, err
		}
		pause := min(max(later.after, minRetry), maxRetry)
		if !giveUp.IsZero() && time.Now().Add(pause).After(giveUp) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// A laterError says when to ask again.
type laterError struct{ after time.Duration }

func (e *laterError) Error() string {
	return fmt.Sprintf("the server cannot answer yet; it says to ask again after %s", e.after)
}

// The bounds of what a server can make a board wait at a time.
const (
	minRetry = time.Second
	maxRetry = time.Minute
)

func (s *Server) do(ctx context.Context, method, path string, body io.Reader, set func(http.Header), want ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.address+path, body)
	if err != nil {
		return nil, err
	}
	set(req.Header)
	res, err := s.http.Do(req)
	if err != nil {
		return nil, s.fault(err)
	}
	if err := judge(res, want); err != nil {
		res.Body.Close()
		return nil, fmt.Errorf("%s: %s: %w", s.address, req.URL.Path, err)
	}
	return res, nil
}

// fault makes a refusal of what a server does that refuses: it says nothing, or
// ends the handshake with an alert.
func (s *Server) fault(err error) error {
	var uerr *url.Error
	if errors.As(err, &uerr) {
		err = uerr.Err
	}
	var alert *net.OpError // that is how crypto/tls tells of one
	if errors.As(err, &alert) && alert.Op == "remote error" || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w (%v)", ErrRefused, err)
	}
	return fmt.Errorf("%s: %w", s.address, err)
}

// judge takes the answers that a board asked for, of a stated length and in no
// coding: nothing else fits into a boot loader, which has to be told the same.
func judge(res *http.Response, want []int) error {
	if slices.Contains(want, res.StatusCode) {
		switch {
		case res.Header.Get("Content-Encoding") != "":
			return errors.New("the answer is coded")
		case res.ContentLength < 0:
			return errors.New("the answer has no length")
		}
		return nil
	}
	switch res.StatusCode {
	case http.StatusGone:
		return ErrGone
	case http.StatusAccepted, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if n, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 16); err == nil {
			return &laterError{time.Duration(n) * time.Second}
		}
	}
	said, err := io.ReadAll(io.LimitReader(res.Body, 200))
	return errors.Join(fmt.Errorf("%s: %.200q", res.Status, strings.TrimSpace(string(said))), err)
}

// whole reads an answer of at most limit bytes.
func whole(res *http.Response, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", res.Request.URL.Path, err)
	}
	return body, nil
}
