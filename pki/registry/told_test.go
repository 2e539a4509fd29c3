package registry_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// TestServerErrors are those of the way to a registry: each of its kind, in one
// line, and in words that somebody can act on.
func TestServerErrors(t *testing.T) {
	p := registrytest.Server(t)
	empty, full := p.Database(t), createOn(t, p)
	if err := p.Run(empty, "CREATE ROLE idle LOGIN"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, url string
		kind      error
		want      string
	}{
		{"no server", "postgres://u@127.0.0.1:1/x", registry.ErrUnreachable, "127.0.0.1:1/x: the database does not answer: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"no socket", "postgres://u@/x?host=/nowhere", registry.ErrUnreachable, "connect: no such file or directory"},
		{"no host", "postgres://u@no.invalid/x?sslmode=require", registry.ErrUnreachable, "does not answer: lookup no.invalid"},
		{"no database", strings.Replace(empty, "@/", "@/no_", 1), registry.ErrNoDatabase, `no such database: database "no_site`},
		{"no role", registrytest.As("unheard", empty), registry.ErrLogin, `role "unheard" does not exist`},
		{"no password", fmt.Sprintf("postgres://owner@127.0.0.1:%d/postgres", p.Port), registry.ErrLogin, `password authentication failed for user "owner"`},
		{"no right to make one", registrytest.As("idle", empty), registry.ErrDenied, "the right: CREATE, to make a schema"},
		{"one of somebody else", full, registry.ErrTaken, "holds a registry already"},
		{"one that may not be seen", registrytest.As("idle", full), registry.ErrTaken, "holds a registry already"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := registry.Vacant(t.Context(), row.url, "MARK")
			if !errors.Is(err, row.kind) || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one with %q", err, row.want)
			}
		})
	}
	if _, err := registry.Open(t.Context(), registrytest.As("idle", full), someone); !errors.Is(err, registry.ErrDenied) {
		t.Errorf("opened without any right: %v", err)
	}
	if err := registry.Vacant(t.Context(), empty, "MARK"); err != nil {
		t.Errorf("an empty database: %v", err)
	}
	if err := registry.Vacant(t.Context(), "sqlite:x", ""); err != nil {
		t.Errorf("a file: %v", err)
	}
}

// TestMark creates a registry twice: who bears its mark goes on with it, as long
// as nobody has enrolled a board, and for all others it is taken.
func TestMark(t *testing.T) {
	p, ctx := registrytest.Server(t), t.Context()
	url, mine := p.Database(t), someone
	mine.Mark = "MINE"
	for range 2 {
		f, err := registry.Create(ctx, url, mine)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Record(ctx, "site.init", "lab", ""), f.Close(), registry.Vacant(ctx, url, "MINE")); err != nil {
			t.Fatal(err)
		}
	}
	others := someone
	others.Mark = "OTHERS"
	for _, o := range []registry.Options{someone, others} {
		if _, err := registry.Create(ctx, url, o); !errors.Is(err, registry.ErrTaken) || !errors.Is(err, fs.ErrExist) {
			t.Errorf("mark %q: %v", o.Mark, err)
		}
		if err := registry.Vacant(ctx, url, o.Mark); !errors.Is(err, registry.ErrTaken) {
			t.Errorf("mark %q: %v", o.Mark, err)
		}
	}
	f := open(t, url)
	registrytest.Enrol(t, f, registrytest.Entry(1))
	if _, err := registry.Create(ctx, url, mine); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("with a board in it: %v", err)
	}
}
