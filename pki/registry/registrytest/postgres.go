package registrytest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Postgres is a private PostgreSQL server: its data and its socket lie in a
// folder of its own, its clock and its passwords matter to nobody, and nothing it
// writes waits for the disk. Everybody on its socket is who they say; on
// 127.0.0.1 they give a password (scram-sha-256).
type Postgres struct {
	Dir  string // holds the socket; others may enter it
	Port int

	end  chan struct{}
	done chan struct{}
}

var postgres struct {
	sync.Mutex
	server    *Postgres
	databases int
}

// Server returns the one PostgreSQL server of this test binary, and starts it
// first when nobody has asked before. Where the Debian package postgresql is
// missing it fails the test. The package's TestMain must call StopServer.
func Server(t testing.TB) *Postgres {
	t.Helper()
	p, err := OneServer()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// OneServer is Server for those who have no testing.TB at hand.
func OneServer() (*Postgres, error) {
	postgres.Lock()
	defer postgres.Unlock()
	if postgres.server == nil {
		p, err := startPostgres()
		if err != nil {
			return nil, err
		}
		postgres.server = p
	}
	return postgres.server, nil
}

// StopServer ends the server, if one was started, and deletes its data.
func StopServer() {
	postgres.Lock()
	defer postgres.Unlock()
	if postgres.server != nil {
		postgres.server.stop()
		postgres.server = nil
	}
}

// Database makes a new, empty database and returns the URL under which its owner
// opens it.
func (p *Postgres) Database(t testing.TB) (url string) {
	t.Helper()
	url, err := p.NewDatabase()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// NewDatabase is Database for those who have no testing.TB at hand.
func (p *Postgres) NewDatabase() (url string, err error) {
	postgres.Lock()
	postgres.databases++
	name := fmt.Sprintf("site%d", postgres.databases)
	postgres.Unlock()
	return p.URL("owner", name), p.Run(p.URL("owner", "postgres"), "CREATE DATABASE "+name)
}

// URL is that of a database by way of the socket.
func (p *Postgres) URL(role, database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", role, database, p.Dir, p.Port)
}

// As is url with another role.
func As(role, url string) string {
	_, rest, _ := strings.Cut(url, "@")
	return "postgres://" + role + "@" + rest
}

// Run runs statements, one after the other, as somebody at a SQL prompt would
// whose search_path is the registry.
func (p *Postgres) Run(url string, statements ...string) error {
	ctx := context.Background()
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	c.RuntimeParams["search_path"] = "tcpboot"
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// startPostgres makes and starts a server.
func startPostgres() (*Postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	p := &Postgres{end: make(chan struct{}), done: make(chan struct{})}
	if p.Dir, err = os.MkdirTemp("", "postgres"); err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(p.Dir, 0o755), p.own(who)); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--no-sync", "--username=owner", "--encoding=UTF8",
		"--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256", "--pgdata="+p.data())
	if err := p.run(initdb, who); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.Dir))
	}
	for {
		err := p.start(bin, who)
		if err == nil || !errors.Is(err, errPortTaken) {
			return p, err
		}
	}
}

func (p *Postgres) data() string { return filepath.Join(p.Dir, "data") }

// postgresPrograms finds the folder of the newest version installed.
func postgresPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is missing: install the Debian package postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// unprivileged is who the server runs as when the test runs as root, which
// PostgreSQL refuses; nil is everybody else.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (p *Postgres) own(who *syscall.Credential) error {
	if who == nil {
		return nil
	}
	return os.Chown(p.Dir, int(who.Uid), int(who.Gid))
}

// run runs a program to its end.
func (p *Postgres) run(cmd *exec.Cmd, who *syscall.Credential) error {
	cmd.Dir = p.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, out)
	}
	return nil
}

var errPortTaken = errors.New("port taken")

// start runs the server until stop, and returns when it takes connections.
func (p *Postgres) start(bin string, who *syscall.Credential) (err error) {
	if p.Port, err = freePort(); err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", p.data(), "-k", p.Dir, "-h", "127.0.0.1", "-p", strconv.Itoa(p.Port),
		"-F", "-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "shared_buffers=32MB")
	log := new(strings.Builder)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, log, log
	// The kernel ends it with the thread that started it, should this program be
	// killed; so that thread must live as long.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT}
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		started <- cmd.Start()
		<-p.done
	}()
	if err := <-started; err != nil {
		return err
	}
	go func() { ended <- cmd.Wait() }()
	if err := p.await(ended); err != nil {
		<-ended
		if strings.Contains(log.String(), "Address already in use") {
			return errPortTaken
		}
		return fmt.Errorf("PostgreSQL: %w\n%s", err, log)
	}
	go func() {
		<-p.end
		cmd.Process.Signal(syscall.SIGQUIT)
		<-ended
		close(p.done)
	}()
	return nil
}

// await returns when the server takes connections.
func (p *Postgres) await(ended chan error) error {
	again, patience := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("ended before it was ready: %w", err)
		case <-patience:
			return errors.New("not ready after 30 s")
		case <-again.C:
			if p.Run(p.URL("owner", "postgres")) == nil {
				return nil
			}
		}
	}
}

func (p *Postgres) stop() {
	close(p.end)
	<-p.done
	os.RemoveAll(p.Dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
