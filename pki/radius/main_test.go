package radius_test

import (
	"os"
	"testing"

	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

func TestMain(m *testing.M) {
	status := m.Run()
	registrytest.StopServer()
	os.Exit(status)
}
