package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

// Limits that a test can wait for, and that an honest client keeps on a busy machine.
var hasty = server.Limits{Handshake: 2 * time.Second, Idle: 500 * time.Millisecond}

// tlsDial connects as the holder of c, and says nothing yet.
func (k *keep) tlsDial(c tls.Certificate) *tls.Conn {
	k.t.Helper()
	conn := tls.Client(k.dial(1), &tls.Config{RootCAs: k.others.pool, ServerName: updateName, Certificates: []tls.Certificate{c}})
	if err := conn.Handshake(); err != nil {
		k.t.Fatal(err)
	}
	return conn
}

// ended holds that the server ends conn, whatever it says before.
func ended(t *testing.T, conn net.Conn) (said string) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatalf("the server waits on; it said %.200q", b)
	}
	return string(b)
}

// until waits until the connections are as is says.
func (k *keep) until(is func(server.Status) bool) {
	k.t.Helper()
	for deadline := time.Now().Add(patience); !is(k.Status()); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			k.t.Fatalf("%+v", k.Status())
		}
	}
}

func empty(now server.Status) bool { return now.Open == 0 }

// Whoever stops in the middle of what it has to say keeps no place.
func TestWhoStopsTalking(t *testing.T) {
	const head = "POST /v2/report HTTP/1.1\r\nHost: x\r\n"
	for name, said := range map[string]string{
		"before a request":             "",
		"in the head":                  head,
		"before the body of a report":  head + "Content-Length: 100\r\n\r\n",
		"in the body of a report":      head + "Content-Length: 100\r\n\r\n0123456789",
		"in the body of a renewal":     "POST /v2/renew HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0123456789",
		"in a body that nobody wants":  "GET " + bootPath(1, 0) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0123456789",
		"in a body of no known length": head + "Transfer-Encoding: chunked\r\n\r\n64\r\n0123456789",
		"before it is told to go on":   head + "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			k := openKeepWith(t, hasty, func(server.Renewal) ([]byte, error) { return nil, server.ErrNotYet })
			conn := k.tlsDial(k.admit(1))
			io.WriteString(conn, said)
			ended(t, conn)
			k.until(empty)
		})
	}
}

// Whoever does so before it has proved who it is, neither.
func TestWhoStopsInTheHandshake(t *testing.T) {
	for name, said := range map[string]string{
		"its first byte":         "\x16",
		"the head of a record":   "\x16\x03\x01\x02\x00",
		"the length of a hello":  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a hello of 16 MiB":      "\x16\x03\x01\x40\x00\x01\xff\xff\xff" + strings.Repeat("x", 100),
		"records without an end": "\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x01\x00",
	} {
		t.Run(name, func(t *testing.T) {
			k := openKeepWith(t, server.Limits{Handshake: 50 * time.Millisecond}, nil)
			conn := say(k.dial(2), said)
			ended(t, conn)
			k.until(empty)
		})
	}
}

// Strangers that begin handshakes take no board's place: neither that of one that
// can prove who it is, nor a download's of version 1.
func TestHandshakeExhaustion(t *testing.T) {
	k := openKeepWith(t, server.Limits{Connections: 40, Parked: 8, Downloads: 4, Proving: 4, PerSource: 4}, nil)
	board := k.client(k.admit(1))
	k.enrol(stable(2))
	k.publish(t, "stable", image(1000))
	var strangers []net.Conn
	for n := range 4 {
		strangers = append(strangers, say(k.dial(2), "\x16\x03"))
		k.until(func(now server.Status) bool { return now.Proving == n+1 })
	}
	boots(t, k.call(mac(2).String()), image(1000))
	k.get(board, bootPath(1, 0), http.StatusNoContent)
	ended(t, strangers[3]) // the newest had to go
	for _, conn := range strangers[:3] {
		silent(t, conn)
	}
}

// Two lengths, or one that nobody knows before the end, are how a second request is
// hidden in the body of a first.
func TestRequestsInRequests(t *testing.T) {
	k := openKeep(t, nil)
	c := k.admit(1)
	const hidden = "GET /v2/elsewhere HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, head := range map[string]string{
		"both lengths":        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"the other way round": "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
		"chunks alone":        "Transfer-Encoding: chunked\r\n",
		"two lengths":         "Content-Length: 5\r\nContent-Length: 6\r\n",
		"no length":           "Content-Length: \r\n",
		"a signed length":     "Content-Length: +5\r\n",
		"an unknown coding":   "Transfer-Encoding: xchunked\r\n",
	} {
		for _, line := range []string{"POST /v2/report", "GET " + bootPath(1, 0)} {
			conn := k.tlsDial(c)
			io.WriteString(conn, line+" HTTP/1.1\r\nHost: x\r\n"+head+"\r\n0\r\n\r\n"+hidden)
			if said := ended(t, conn); strings.Count(said, "HTTP/1.1 ") > 1 || !strings.HasPrefix(said, "HTTP/1.1 4") && !strings.HasPrefix(said, "HTTP/1.1 5") {
				t.Errorf("%s, %s: got %q", name, line, said)
			}
		}
	}
}

// A head that has no end is refused before it costs much.
func TestEndlessHead(t *testing.T) {
	k := openKeep(t, nil)
	c := k.admit(1)
	for name, line := range map[string]string{"a field": strings.Repeat("x", 1<<16), "fields": strings.Repeat("A: b\r\n", 1<<14)} {
		conn := k.tlsDial(c)
		go io.WriteString(conn, "GET /v2/boot HTTP/1.1\r\nHost: x\r\n"+line)
		if said := ended(t, conn); !strings.HasPrefix(said, "HTTP/1.1 431 ") {
			t.Errorf("%s: got %.100q", name, said)
		}
	}
}

// A board that is revoked keeps no connection by asking for what is not there.
func TestRevokedBoardThatAsksForNothing(t *testing.T) {
	k := openKeep(t, nil)
	c := k.admit(1)
	for _, path := range []string{"/", "/v2/elsewhere", "//v2/boot", "/v2/../v2/boot", "/v2/report", "*"} {
		d := stable(1)
		d.Admissions = []fleet.Admission{{Certificate: fleet.Sum(c.Certificate[0])}}
		k.enrol(d)
		conn := k.tlsDial(c)
		io.WriteString(conn, "GET /v2/elsewhere HTTP/1.1\r\nHost: x\r\n\r\n")
		said := bufio.NewReader(conn)
		conn.SetReadDeadline(time.Now().Add(patience))
		if res, err := http.ReadResponse(said, nil); err != nil || res.StatusCode != http.StatusNotFound {
			t.Fatalf("before: %v, %v", res, err)
		} else {
			io.Copy(io.Discard, res.Body)
		}
		d.State = fleet.Revoked
		k.enrol(d)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		if b, err := io.ReadAll(said); len(b) > 0 || err == nil && path == "" {
			t.Errorf("%s: answered %.100q", path, b)
		}
	}
}

// The time that one answer may take does not run on into the next.
func TestLongConnection(t *testing.T) {
	const idle = 2 * time.Second // a busy machine does not stop for so long
	k := openKeepWith(t, server.Limits{Idle: idle}, nil)
	board := k.client(k.admit(1))
	k.stock(1, 7, image(100))
	k.get(board, bootPath(1, 0), http.StatusOK)
	tick := time.NewTicker(idle / 20)
	defer tick.Stop()
	seen := map[string]bool{}
	for began := time.Now(); time.Since(began) < idle+idle/4; <-tick.C {
		k.get(board, bootPath(1, 7), http.StatusNoContent)
	}
	for len(k.kept) > 0 {
		seen[(<-k.kept).Remote] = true
	}
	if len(seen) != 1 {
		t.Errorf("it took %d connections: %v", len(seen), seen)
	}
}

// A ticket is worth nothing once the CA that vouched for the board is not trusted
// any more, nor at a server that was started anew.
func TestTicketsAndChange(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		k := openKeep(t, nil)
		board := k.client(k.admit(1))
		config := board.Transport.(*http.Transport).TLSClientConfig
		config.MaxVersion = version
		k.get(board, bootPath(1, 0), http.StatusNoContent)
		board.CloseIdleConnections()
		k.boards = x509.NewCertPool()
		k.refused(board, bootPath(1, 0))
		k.boards = k.authority.pool

		k.get(board, bootPath(1, 0), http.StatusNoContent)
		board.CloseIdleConnections()
		next := *k
		next.house = build(t, server.Limits{})
		next.house.site, next.Registry = k.site, k.site
		next.Secure = &server.Secure{Identity: k.vault, Library: k.vault}
		next.start(nil)
		resumed := true
		config.VerifyConnection = func(state tls.ConnectionState) error { resumed = state.DidResume; return nil }
		k.addr = next.addr
		k.get(board, bootPath(1, 0), http.StatusNoContent)
		if resumed {
			t.Errorf("TLS %x: another server took the ticket", version)
		}
	}
}

// Nobody gets another protocol within TLS than the one that boards speak.
func TestOtherProtocols(t *testing.T) {
	k := openKeep(t, nil)
	c := k.admit(1)
	conn := tls.Client(k.dial(1), &tls.Config{RootCAs: k.others.pool, ServerName: updateName, Certificates: []tls.Certificate{c},
		NextProtos: []string{"h2", "http/1.1"}})
	io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	if p := conn.ConnectionState().NegotiatedProtocol; p != "" {
		t.Errorf("negotiated %q", p)
	}
	if said := ended(t, conn); !strings.HasPrefix(said, "HTTP/1.1 ") || strings.HasPrefix(said, "HTTP/1.1 2") {
		t.Errorf("HTTP/2 without asking: got %q", said)
	}
	old := tls.Client(k.dial(1), &tls.Config{RootCAs: k.others.pool, ServerName: updateName, Certificates: []tls.Certificate{c},
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := old.Handshake(); err == nil {
		t.Error("it speaks TLS 1.1")
	}
}

// A client that wants to shake hands again, in the middle, is refused.
func TestRenegotiation(t *testing.T) {
	k := openKeep(t, nil)
	c := k.admit(1)
	cert, key := pemFiles(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", "s_client", "-connect", k.addr, "-tls1_2", "-cert", cert, "-key", key)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), "Verify return code"); {
	}
	fmt.Fprint(in, "R\n")
	io.Copy(io.Discard, out)
	cmd.Wait()
	said := complaint.String()
	if ctx.Err() != nil || !strings.Contains(said, "RENEGOTIATING") || !strings.Contains(said, "SSL alert") {
		t.Errorf("%v: %s", ctx.Err(), said)
	}
}

// A stop lets a download of version 2 finish, and ends who only keeps a connection.
func TestShutdownOfVersion2(t *testing.T) {
	k := openKeep(t, nil)
	board, idle := k.client(k.admit(1)), k.tlsDial(k.admit(2))
	data := image(8 << 20)
	_, digest := k.stock(1, 7, data)
	io.WriteString(idle, "GET "+bootPath(1, 0)+" HTTP/1.1\r\nHost: x\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatal(res, err)
	}
	res, err := board.Do(k.request("GET", wire.BlobsPath+digest.String(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	down := make(chan error)
	go func() { down <- k.Shutdown(context.Background()) }()
	<-k.over
	k.over <- nil
	ended(t, idle)
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n != int64(len(data)) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// pemFiles are c as openssl reads it.
func pemFiles(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
