package registry_test

import (
	"testing"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// TestContractOnPostgres opens the registry as roles of the names that the
// contract says, each a member of the group of admins.
func TestContractOnPostgres(t *testing.T) {
	p := registrytest.Server(t)
	login(t, p, "alice", "tcpboot_admin")
	login(t, p, "bob", "tcpboot_admin")
	registrytest.Run(t, func(t *testing.T) registrytest.Opener {
		url := createOn(t, p)
		return func(t *testing.T, o registry.Options) *registry.Fleet {
			role := o.Who
			if role == "" {
				role = "alice"
			}
			f, err := registry.Open(t.Context(), registrytest.As(role, url), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}
	})
}

// createOn makes a registry in a new database and returns its owner's URL.
func createOn(t *testing.T, p *registrytest.Postgres) string {
	t.Helper()
	url := p.Database(t)
	f, err := registry.Create(t.Context(), url, someone)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

// login makes a role that is a member of a group, in a server on which a
// registry has been created or not.
func login(t *testing.T, p *registrytest.Postgres, role, group string) {
	t.Helper()
	if err := p.Run(p.URL("owner", "postgres"),
		"DO $$ BEGIN CREATE ROLE "+group+" NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
		"DO $$ BEGIN CREATE ROLE "+role+" LOGIN IN ROLE "+group+"; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
	); err != nil {
		t.Fatal(err)
	}
}
