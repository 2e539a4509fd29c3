package registry_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

func TestContract(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registrytest.Opener {
		url := "sqlite:" + filepath.Join(t.TempDir(), "a ?#%41 b.db")
		return func(t *testing.T, o registry.Options) *registry.Fleet {
			f, err := registry.Create(t.Context(), url, o)
			if errors.Is(err, fs.ErrExist) || o.ReadOnly {
				f, err = registry.Open(t.Context(), url, o)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}
	})
}
