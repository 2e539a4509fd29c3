package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Bounds on how long a registry may take.
const (
	dialTime   = 10 * time.Second
	answerTime = 60 * time.Second // from a request to its answer's first byte
	idleTime   = 60 * time.Second // without a byte in either direction
	retries    = 2
)

// A client speaks to one registry. It is what oras-go calls a client.
type client struct{ auth *auth.Client }

// newClient makes a client of the registry at host.
func newClient(host string, o Options) *client {
	t := &http.Transport{
		Proxy:                 o.Proxy,
		DialContext:           dialer{&net.Dialer{Timeout: dialTime}, idleTime, o.Moved}.dial,
		TLSClientConfig:       o.TLS,
		TLSHandshakeTimeout:   dialTime,
		ResponseHeaderTimeout: answerTime,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,
	}
	again := retry.NewTransport(&guard{t, host, o.PlainHTTP})
	again.Policy = func() retry.Policy {
		return &retry.GenericPolicy{Retryable: retry.DefaultPredicate, Backoff: retry.DefaultBackoff,
			MinWait: 100 * time.Millisecond, MaxWait: 3 * time.Second, MaxRetry: retries}
	}
	c := &auth.Client{
		Client:     &http.Client{Transport: again, CheckRedirect: checkRedirect},
		Cache:      auth.NewCache(),
		Credential: o.Credential,
	}
	c.SetUserAgent("tcpboot")
	return &client{c}
}

// Do sends a request. An error names no query: the address to which a registry
// redirects may hold a signature that is as good as a password.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.auth.Do(req)
	if e := new(url.Error); errors.As(err, &e) {
		if u, parseErr := url.Parse(e.URL); parseErr == nil {
			u.RawQuery = ""
			e.URL = u.String()
		}
	}
	return resp, err
}

// A guard lets nothing pass in the clear but to the registry itself, where that
// was asked for: neither a redirect nor a token service gets more.
type guard struct {
	next  http.RoundTripper
	host  string
	plain bool
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" || g.plain && req.URL.Host == g.host {
		return g.next.RoundTrip(req)
	}
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, fmt.Errorf("the registry %s leads to %s://%s, which is not encrypted", g.host, req.URL.Scheme, req.URL.Host)
}

// checkRedirect lets downloads be redirected, as registries do that keep blobs
// in a store; oras-go has taken the credentials out by then. What is uploaded
// goes to the registry alone.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 5 {
		return errors.New("more than 5 redirects")
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead && req.URL.Host != first.URL.Host {
		return fmt.Errorf("the registry %s redirects an upload to %s", first.URL.Host, req.URL.Host)
	}
	return nil
}

// A dialer makes connections that end when nothing moves on them.
type dialer struct {
	*net.Dialer
	idle  time.Duration
	moved func(bytes int)
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patient{conn, d.idle, d.moved}, nil
}

// A patient connection has its deadline put off by whatever moves on it, in
// either direction: a long upload waits for no answer meanwhile.
type patient struct {
	net.Conn
	idle  time.Duration
	moved func(bytes int)
}

func (p *patient) Read(b []byte) (int, error) { return p.count(b, p.Conn.Read) }

func (p *patient) Write(b []byte) (int, error) { return p.count(b, p.Conn.Write) }

func (p *patient) count(b []byte, do func([]byte) (int, error)) (int, error) {
	if err := p.SetDeadline(time.Now().Add(p.idle)); err != nil {
		return 0, err
	}
	n, err := do(b)
	if p.moved != nil {
		p.moved(n)
	}
	return n, err
}
