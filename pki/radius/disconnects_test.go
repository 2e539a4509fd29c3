package radius

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A point is an access point that says what its test wants.
type point struct {
	AccessPoint
	asked atomic.Int32
}

// newPoint answers questions about boards with a cause of RFC 5176: 0 stands for
// an ended session, and silent for no answer.
func newPoint(t *testing.T, cause func(mac string) uint32) *point {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &point{AccessPoint: AccessPoint{Name: "ap", Address: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Secret: testSecret}}
	go func() {
		b := make([]byte, packetSize)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			p.asked.Add(1)
			if a := reply(b[:n], cause); a != nil {
				conn.WriteTo(a, from)
			}
		}
	}()
	return p
}

const silent = ^uint32(0)

func reply(request []byte, cause func(mac string) uint32) []byte {
	who := string(request[headerSize+18+2:]) // behind the Message-Authenticator
	mac := strings.ToLower(strings.ReplaceAll(who, "-", ""))[:12]
	switch c := cause(mac); c {
	case silent:
		return nil
	case 0:
		return answer(request, disconnectACK, true, testSecret)
	default:
		return answer(request, disconnectNAK, true, testSecret, attribute{errorCause, binary.BigEndian.AppendUint32(nil, c)})
	}
}

func TestDisconnectAll(t *testing.T) {
	one, two, three := fleet.MAC{0x24, 1}, fleet.MAC{0x24, 2}, fleet.MAC{0x24, 3}
	causes := map[string]uint32{one.String(): noSession, two.String(): 501, three.String(): 0}
	apart := newPoint(t, func(mac string) uint32 { return causes[mac] })
	dead := newPoint(t, func(string) uint32 { return silent })
	strange := newPoint(t, func(string) uint32 { return 0 })
	strange.Secret = "x" + testSecret
	points := []AccessPoint{apart.AccessPoint, dead.AccessPoint, strange.AccessPoint}
	cuts := DisconnectAll(t.Context(), points, []fleet.MAC{one, two, three}, time.Now)
	var got []string
	for i, c := range cuts {
		got = append(got, c.Result())
		if want := points[i/3]; c.AccessPoint != want || c.MAC != (fleet.MAC{0x24, byte(1 + i%3)}) {
			t.Errorf("cut %d is of %s at %s", i, c.MAC, c.Address)
		}
		if c.Err != nil && strings.Contains(c.Err.Error(), testSecret) {
			t.Errorf("%q tells the secret", c.Err)
		}
	}
	want := []string{NoSession, Refused, Ended, Silent, Silent, Silent, Silent, Silent, Silent}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := int(dead.asked.Load()); n != len(resend) {
		t.Errorf("the dead one was asked %d times, want %d: about one board", n, len(resend))
	}
}

// Many access points are asked side by side, and whoever asked may give up.
func TestDisconnectAllGivenUp(t *testing.T) {
	dead := newPoint(t, func(string) uint32 { return silent })
	points := slices.Repeat([]AccessPoint{dead.AccessPoint}, 3*atOnce)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, c := range DisconnectAll(ctx, points, []fleet.MAC{{1}, {2}}, time.Now) {
		if c.Result() != Silent || !errors.Is(c.Err, context.DeadlineExceeded) {
			t.Fatalf("%s: %v", c.Result(), c.Err)
		}
	}
}
