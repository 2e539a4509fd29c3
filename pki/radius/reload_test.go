package radius_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// A new file authorize counts after a HUP: the revoked board is out, the enrolled
// one in, and nobody else notices.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite()
	lost := s.enroll("246f28aa1001", all, 0)
	stays := s.enroll("246f28aa1002", all, 0)
	added := s.enroll("246f28aa1003", all, 0)
	l := start(t, s.server(all), devices(lost, stays), nil)
	l.logins([]row{
		{"before, the lost board", lost.by(useTLS), accept, ""},
		{"before, the added board", added.by(useTLS), reject, ""},
	})
	lost.in(fleet.Revoked)
	w := new(bytes.Buffer)
	if err := radius.Authorize(w, devices(lost, stays, added)); err != nil {
		t.Fatal(err)
	}
	l.reload(t, w.Bytes())
	l.logins([]row{
		{"the lost board, EAP-TLS", lost.by(useTLS), reject, ""},
		{"the lost board, PEAP", lost.by(usePEAP), reject, ""},
		{"the other board", stays.by(useTLS), accept, ""},
		{"the added board", added.by(usePEAP), accept, ""},
	})
}

// reload puts another authorize in place and makes the server read it. It takes
// no HUP soon after its start, nor within five seconds of another.
func (l *lab) reload(t *testing.T, authorize []byte) {
	t.Helper()
	if err := os.Chmod(l.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	replace(l.dir, "authorize", authorize)
	l.give()
	again := time.NewTicker(6 * time.Second)
	defer again.Stop()
	patience := time.After(60 * time.Second)
	for l.hup(t); !l.output.has(`Reloaded module "boards"`); {
		select {
		case <-l.output.grew:
		case <-again.C:
			l.hup(t)
		case <-patience:
			t.Fatalf("not reloaded after a minute\n%s", l.output)
		}
	}
}

// hup sends a HUP. The server looks at the file only when it also sees that one
// of its configuration files is new.
func (l *lab) hup(t *testing.T) {
	t.Helper()
	now := time.Now()
	if err := os.Chtimes(filepath.Join(l.dir, "radiusd.conf"), now, now); err != nil {
		t.Fatal(err)
	}
	if err := l.server.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}
