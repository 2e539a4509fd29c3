package main

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/remote"
)

// A server learns by itself what others cut, and tells once that the registry is
// away, and once that it is back.
func TestDepotFollows(t *testing.T) {
	h := newServed(t)
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer srv.Close()
	repository := "oci://" + strings.TrimPrefix(srv.URL, "http://") + "/lab/firmware"
	at, err := remote.ParseReference(repository)
	if err != nil {
		t.Fatal(err)
	}
	behind, err := remote.Open(at, remote.Options{PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	layout, err := bundle.Create(filepath.Join(t.TempDir(), "releases"))
	if err != nil {
		t.Fatal(err)
	}
	learned := make(chan string, 100)
	d := &depot{Layout: layout, behind: behind, again: time.Millisecond, proves: func(r *release.Release) error {
		learned <- r.Manifest.Version
		return nil
	}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { d.follow(ctx, slog.New(slog.DiscardHandler)); close(ended) }()
	h.run("release", "push", "1.0", repository)
	if got := <-learned; got != "1.0" {
		t.Errorf("learned of %s, want 1.0", got)
	}
	h.run("release", "push", "2.0", repository)
	if got := <-learned; got != "2.0" {
		t.Errorf("learned of %s, want 2.0", got)
	}
	cancel()
	<-ended

	said := &lines{}
	logger := slog.New(slog.NewTextHandler(said, nil))
	fault := ""
	for _, err := range []error{nil, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF, nil, nil} {
		fault = tellOf(logger, fault, err)
	}
	if n, m := said.count("level=ERROR"), said.count("level=INFO"); n != 1 || m != 1 {
		t.Errorf("told of the fault %d times, of its end %d times; want once each:\n%s", n, m, &said.text)
	}
}
