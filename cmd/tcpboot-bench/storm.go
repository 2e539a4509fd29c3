//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/gob"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/client"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

// The aims of a storm: power comes back, and all boards ask at once.
const (
	aimStormMemory = 150 << 20
	aimSlowest     = 3.0 // times the median
	stormImage     = 1 << 20
)

// stormJob lets all boards of a site come at once, a fifth of them on version 2,
// where each proves itself by a certificate of its own.
func stormJob(o options) (results []result, err error) {
	if err := enoughFiles(o.storm + 1000); err != nil {
		return nil, err
	}
	err = withImage(stormImage, func(dir string) error {
		results, err = storm(dir, o.storm-o.storm/5, o.storm/5)
		return err
	})
	return results, err
}

func storm(dir string, v1, v2 int) ([]result, error) {
	c, err := start("-serve-storm", "-dir", dir, "-clients", strconv.Itoa(v1+v2), "-boards", strconv.Itoa(v2))
	if err != nil {
		return nil, err
	}
	defer c.stop()
	address, err := c.line()
	if err != nil {
		return nil, err
	}
	before, err := cpu([]int{c.Process.Pid})
	if err != nil {
		return nil, err
	}
	s, err := runStorm(dir, address, v1)
	if err != nil {
		return nil, err
	}
	after, err := cpu([]int{c.Process.Pid})
	if err != nil {
		return nil, err
	}
	memory, err := peakMemory(c.Process.Pid)
	if err != nil {
		return nil, err
	}
	return judgeStorm(v1, v2, s, memory, after-before), nil
}

func runStorm(dir, address string, v1 int) (s stormed, err error) {
	c, err := start("-storm", "-dir", dir, "-address", address, "-v1", strconv.Itoa(v1))
	if err != nil {
		return s, err
	}
	said, err := c.line()
	if err = errors.Join(err, c.stop()); err != nil {
		return s, fmt.Errorf("storm: %w", err)
	}
	return s, json.Unmarshal([]byte(said), &s)
}

func judgeStorm(v1, v2 int, s stormed, memory int, cpu time.Duration) []result {
	job := fmt.Sprintf("%d + %d boards at once, %d MiB: ", v1, v2, stormImage>>20)
	bound := fmt.Sprintf("the clients, on the same CPUs: the server used %.2f of them", cpu.Seconds()/s.Seconds)
	results := []result{
		{job + "errors", strconv.Itoa(s.Errors), "-", "-", "0", s.LastError},
		{job + "server memory", mib(float64(memory)), "-", "-", "≤ " + mib(aimStormMemory), "a TLS connection each, and their goroutines"},
	}
	for i, name := range []string{"v1", "v2"} {
		results = append(results, result{job + "slowest " + name, fmt.Sprintf("%.1f s", s.Slowest[i]), fmt.Sprintf("median %.1f s", s.Median[i]),
			ratio(s.Slowest[i] / s.Median[i]), fmt.Sprintf("≤ %.1f", aimSlowest), bound})
	}
	return results
}

// A credential is what one made-up board proves itself with, on its way from one
// process to the other.
type credential struct {
	MAC         fleet.MAC
	Certificate []byte
	Key         []byte // PKCS #8
}

// A cast is everybody on the stage of version 2.
type cast struct {
	Boards  []credential
	Servers []byte // root
	Name    string
}

const castFile = "cast"

// stormSite is a registry, a shelf and a library: everybody is known, and gets the
// one image. Who proves to be a board of the cast must have its certificate.
type stormSite struct {
	everybody
	image    fleet.Digest
	admitted map[fleet.MAC]fleet.Digest
	own      tls.Certificate
	boards   *x509.CertPool
}

func (s *stormSite) Device(ctx context.Context, m fleet.MAC) (fleet.Device, error) {
	d, err := s.everybody.Device(ctx, m)
	if digest, there := s.admitted[m]; there {
		d.Admissions = []fleet.Admission{{Certificate: digest}}
	}
	return d, err
}

func (s *stormSite) Certificate() (*tls.Certificate, error) { return &s.own, nil }
func (s *stormSite) Boards() (*x509.CertPool, error)        { return s.boards, nil }
func (s *stormSite) Documents(context.Context, uint64) ([][]byte, uint64, error) {
	return nil, 1, nil
}
func (s *stormSite) Goods(context.Context, fleet.Device, wire.Hello) (server.Goods, error) {
	return server.Goods{}, server.ErrNothing
}
func (s *stormSite) Known(context.Context, fleet.Device, fleet.Digest) bool { return false }
func (s *stormSite) Part(_ context.Context, _ fleet.Device, digest fleet.Digest) (*server.Blob, error) {
	if digest != s.image {
		return nil, server.ErrNothing
	}
	return s.blob, nil
}

// stormServer is the server under test, in a process of its own.
func stormServer(args []string) error {
	flags := flag.NewFlagSet("-serve-storm", flag.ContinueOnError)
	dir := flags.String("dir", "", "where the image is, and the boards' credentials are put")
	clients := flags.Int("clients", 0, "connections at a time")
	boards := flags.Int("boards", 0, "boards of version 2")
	if err := flags.Parse(args); err != nil {
		return err
	}
	site, err := newStormSite(*dir, *boards)
	if err != nil {
		return err
	}
	s := &server.Server{Registry: site, Shelf: site, Secure: &server.Secure{Identity: site, Library: site}, Limits: server.Limits{
		Connections: 2 * *clients, Downloads: *clients, Proving: *clients, PerSource: *clients,
		Strangers: *clients, Handshake: patient.Total, // the boards share their CPUs, and are slow to speak
	}}
	return serveUntilEOF(s)
}

func newStormSite(dir string, boards int) (*stormSite, error) {
	image, err := os.ReadFile(filepath.Join(dir, "image"))
	if err != nil {
		return nil, err
	}
	blob, err := server.NewBlob(image, "bench", wire.Slot2017)
	if err != nil {
		return nil, err
	}
	s := &stormSite{everybody: everybody{blob}, image: fleet.Sum(image), admitted: map[fleet.MAC]fleet.Digest{}, boards: x509.NewCertPool()}
	c := cast{Name: pki.UpdateName("bench")}
	if err := errors.Join(s.prove(&c), s.admit(&c, boards)); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, castFile))
	if err != nil {
		return nil, err
	}
	return s, errors.Join(gob.NewEncoder(f).Encode(c), f.Close())
}

// prove gives the server its certificate.
func (s *stormSite) prove(c *cast) error {
	a, err := newAuthority(pki.Servers)
	if err != nil {
		return err
	}
	key, err := custody.Generate(custody.P256)
	if err != nil {
		return err
	}
	leaf, err := a.IssueServer(c.Name, key.Public(), time.Now())
	if err != nil {
		return err
	}
	s.own = tls.Certificate{Certificate: [][]byte{leaf.Raw, a.CA.Raw}, PrivateKey: key}
	c.Servers = a.Root.Raw
	return nil
}

// admit gives so many boards theirs.
func (s *stormSite) admit(c *cast, boards int) error {
	a, err := newAuthority(pki.Boards)
	if err != nil {
		return err
	}
	s.boards.AddCert(a.CA)
	for i := range boards {
		one, err := a.IssueBoard(boardMAC(i), time.Now())
		if err != nil {
			return err
		}
		key, err := x509.MarshalPKCS8PrivateKey(one.Key)
		if err != nil {
			return err
		}
		s.admitted[one.MAC] = fleet.Sum(one.Certificate.Raw)
		c.Boards = append(c.Boards, credential{one.MAC, one.Certificate.Raw, key})
	}
	return nil
}

// A stormed is what became of it.
type stormed struct {
	Seconds         float64
	Errors          int
	LastError       string
	Median, Slowest [2]float64 // seconds, of v1 and of v2
}

// A crowd waits for the word, and all of it goes at once.
type crowd struct {
	address string
	image   []byte
	ready   sync.WaitGroup
	word    chan struct{}

	mu    sync.Mutex
	took  [2][]float64
	fault []error
}

// stormChild is the boards, in a process of their own. It prints a stormed.
func stormChild(args []string) error {
	flags := flag.NewFlagSet("-storm", flag.ContinueOnError)
	dir := flags.String("dir", "", "where the image and the boards' credentials are")
	address := flags.String("address", "", "server")
	v1 := flags.Int("v1", 0, "boards of version 1")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := readCast(*dir)
	if err != nil {
		return err
	}
	image, err := os.ReadFile(filepath.Join(*dir, "image"))
	if err != nil {
		return err
	}
	crowd := &crowd{address: *address, image: image, word: make(chan struct{})}
	return json.NewEncoder(os.Stdout).Encode(crowd.run(*v1, c))
}

func readCast(dir string) (c cast, err error) {
	f, err := os.Open(filepath.Join(dir, castFile))
	if err != nil {
		return c, err
	}
	defer f.Close()
	return c, gob.NewDecoder(f).Decode(&c)
}

func (c *crowd) run(v1 int, cast cast) stormed {
	var all sync.WaitGroup
	c.ready.Add(v1 + len(cast.Boards))
	for i := range v1 {
		all.Go(func() { c.one(0, func() error { return c.fetch1(boardMAC(len(cast.Boards) + i)) }) })
	}
	roots := x509.NewCertPool()
	if root, err := x509.ParseCertificate(cast.Servers); err == nil {
		roots.AddCert(root)
	}
	for _, b := range cast.Boards {
		all.Go(func() { c.one(1, func() error { return c.fetch2(b, roots, cast.Name) }) })
	}
	c.ready.Wait()
	began := time.Now()
	close(c.word)
	all.Wait()
	return c.sum(time.Since(began))
}

func (c *crowd) one(version int, fetch func() error) {
	c.ready.Done()
	<-c.word
	began := time.Now()
	err := fetch()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took[version] = append(c.took[version], time.Since(began).Seconds())
	if err != nil {
		c.fault = append(c.fault, err)
	}
}

var errOtherImage = errors.New("another image")

// patient are the limits of a board in a crowd.
var patient = client.Limits{Silence: 5 * time.Minute, Idle: 5 * time.Minute, Total: 10 * time.Minute}

func (c *crowd) fetch1(m fleet.MAC) error {
	conn, err := net.Dial("tcp4", c.address)
	if err != nil {
		return err
	}
	same := &sameWriter{want: c.image}
	if _, err := client.Fetch(context.Background(), conn, m, same, patient); err != nil {
		return err
	}
	return same.whole()
}

func (c *crowd) fetch2(b credential, roots *x509.CertPool, name string) error {
	key, err := x509.ParsePKCS8PrivateKey(b.Key)
	if err != nil {
		return err
	}
	srv := client.Secure(c.address, client.Identity{
		Certificate: tls.Certificate{Certificate: [][]byte{b.Certificate}, PrivateKey: key}, Servers: roots, Name: name,
	}, patient)
	defer srv.Close()
	same := &sameWriter{want: c.image}
	if err := srv.Blob(context.Background(), fleet.Sum(c.image), same); err != nil {
		return err
	}
	return same.whole()
}

// A sameWriter takes what it expects, so that ten thousand images lie in memory
// once.
type sameWriter struct {
	want []byte
	got  int
}

func (s *sameWriter) Write(b []byte) (int, error) {
	if len(b) > len(s.want)-s.got || !bytes.Equal(b, s.want[s.got:s.got+len(b)]) {
		return 0, errOtherImage
	}
	s.got += len(b)
	return len(b), nil
}

func (s *sameWriter) whole() error {
	if s.got != len(s.want) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (c *crowd) sum(took time.Duration) stormed {
	s := stormed{Seconds: took.Seconds(), Errors: len(c.fault)}
	if s.Errors > 0 {
		s.LastError = c.fault[s.Errors-1].Error()
	}
	for i, times := range c.took {
		slices.Sort(times)
		if n := len(times); n > 0 {
			s.Median[i], s.Slowest[i] = times[n/2], times[n-1]
		}
	}
	return s
}
