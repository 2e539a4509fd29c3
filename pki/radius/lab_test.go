package radius_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// secret holds every character that a RADIUS secret may have.
const secret = "aZ09!&()*+,-./:;<=>?@[]^_|~"

// A lab is a running FreeRADIUS on an exported folder, and a supplicant that
// asks it by way of an access point.
type lab struct {
	t      *testing.T
	dir    string
	port   uint16
	output *log
	server *os.Process
	ended  chan error // gets what the server ended with
	root   bool       // it stays the user that we are
	silent bool       // its accepts name nobody: hostapd's do not
}

// start exports what srv says of boards, lets change alter the folder, and runs
// the server on it until the test ends.
func start(t *testing.T, srv radius.Server, boards iter.Seq2[fleet.Device, error], change func(dir string)) *lab {
	t.Helper()
	for {
		l, err := prepare(t, srv, boards, change).run()
		if err == nil {
			return l
		}
		if !strings.Contains(l.output.String(), "Address already in use") {
			t.Fatalf("FreeRADIUS: %v\n%s", err, l.output)
		}
	}
}

// prepare is start without starting.
func prepare(t *testing.T, srv radius.Server, boards iter.Seq2[fleet.Device, error], change func(dir string)) *lab {
	t.Helper()
	l := &lab{t: t, dir: folder(t), port: freePort(t), output: newLog()}
	srv.Port = l.port
	if err := radius.Export(srv, boards, creator(l.dir)); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(l.dir)
	}
	l.give()
	return l
}

// program finds a peer, or fails the test with the package that brings it.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Fatalf("%s is missing: install the Debian package %s", name, pkg)
	}
	return path
}

// folder is a new folder that another user may enter.
func folder(t *testing.T) string {
	t.Helper()
	top, err := os.MkdirTemp("", "radius")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(top, "exported here")
	t.Cleanup(func() { os.Chmod(dir, 0o700); os.RemoveAll(top) })
	if err := errors.Join(os.Chmod(top, 0o711), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// creator writes an export's files into dir, readable by one user alone.
func creator(dir string) func(string, bool) (io.WriteCloser, error) {
	return func(name string, _ bool) (io.WriteCloser, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	}
}

// nobody is who the server runs as when the test runs as root.
const nobody = 65534

// give makes the folder read-only and nobody's, when we are root.
func (l *lab) give() {
	if os.Geteuid() == 0 {
		files, _ := filepath.Glob(filepath.Join(l.dir, "*"))
		for _, f := range append(files, l.dir) {
			if err := os.Chown(f, nobody, nobody); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(l.dir, 0o500); err != nil {
		l.t.Fatal(err)
	}
}

// run starts FreeRADIUS.
func (l *lab) run() (*lab, error) {
	l.t.Helper()
	cmd := exec.Command(program(l.t, "freeradius", "freeradius"), "-d", l.dir, "-n", "radiusd", "-f")
	cmd.Dir = "/"
	return l.launch(cmd, "Ready to process requests")
}

// launch starts a server and waits until it says that it is ready; it ends with
// the test.
func (l *lab) launch(cmd *exec.Cmd, ready string) (*lab, error) {
	l.t.Helper()
	cmd.Stdout, cmd.Stderr = l.output, l.output
	if os.Geteuid() == 0 && !l.root {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := cmd.Start(); err != nil {
		return l, err
	}
	l.server = cmd.Process
	ended := make(chan error, 1)
	l.ended = ended
	go func() { ended <- cmd.Wait(); close(ended) }()
	patience := time.After(30 * time.Second)
	for !l.output.has(ready) {
		select {
		case <-l.output.grew:
		case err := <-l.ended:
			return l, errors.Join(errors.New("ended before it was ready"), err)
		case <-patience:
			cmd.Process.Kill()
			return l, errors.New("not ready after 30 s")
		}
	}
	l.t.Cleanup(l.end)
	return l, nil
}

// end ends the server, if it has not.
func (l *lab) end() {
	l.server.Kill()
	<-l.ended
}

// wait waits until the server has said the words.
func (l *lab) wait(t *testing.T, words string) {
	t.Helper()
	patience := time.After(30 * time.Second)
	for !l.output.has(words) {
		select {
		case <-l.output.grew:
		case <-patience:
			t.Fatalf("%q not said after 30 s\n%s", words, l.output)
		}
	}
}

// A log is what the server printed so far. It says on grew that there is more.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func newLog() *log { return &log{grew: make(chan struct{}, 1)} }

func (g *log) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case g.grew <- struct{}{}:
	default:
	}
	return g.text.Write(p)
}

func (g *log) has(word string) bool { return strings.Contains(g.String(), word) }

func (g *log) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}
