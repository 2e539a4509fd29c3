package seal

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

func identity(t *testing.T) (*age.X25519Identity, Recipients) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to, err := Parse("# the factory\n\n" + id.Recipient().String() + "\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return id, to
}

func batch(n int) (all []delivery.Handout) {
	for i := range n {
		all = append(all, delivery.Handout{
			MAC: fleet.MAC{0x24, 0x6f, 0x28, 0, byte(i >> 8), byte(i)}, Serial: fleet.Serial{1, byte(i)},
			Files: delivery.Files{delivery.KeyFile: fmt.Appendf(nil, "secret %d", i), delivery.DefaultsFile: []byte("x")},
		})
	}
	return all
}

// Any recipient opens it, alone, and finds every file in its place; nobody else
// does, and nothing of it lies in the clear.
func TestWrite(t *testing.T) {
	one, to := identity(t)
	two, other := identity(t)
	stranger, _ := identity(t)
	to.Add(other)
	var sealed bytes.Buffer
	if err := errors.Join(to.Check(), Write(&sealed, to, batch(3))); err != nil {
		t.Fatal(err)
	}
	want := "deliveries.csv 600 mac,serial\n" +
		"246f28000000,01000000000000000000000000000000\n246f28000001,01010000000000000000000000000000\n246f28000002,01020000000000000000000000000000\n;" +
		"00/246f28000000/ 700 ;00/246f28000000/main/wpa2_client.key 600 secret 0;00/246f28000000/sdkconfig.defaults 600 x;" +
		"01/246f28000001/ 700 ;01/246f28000001/main/wpa2_client.key 600 secret 1;01/246f28000001/sdkconfig.defaults 600 x;" +
		"02/246f28000002/ 700 ;02/246f28000002/main/wpa2_client.key 600 secret 2;02/246f28000002/sdkconfig.defaults 600 x;"
	for _, id := range []age.Identity{one, two} {
		if got := open(t, sealed.Bytes(), id); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if _, err := age.Decrypt(bytes.NewReader(sealed.Bytes()), stranger); err == nil {
		t.Error("a stranger opens it")
	}
	if bytes.Contains(sealed.Bytes(), []byte("secret")) || bytes.Contains(sealed.Bytes(), []byte("246f28")) {
		t.Error("it is not sealed")
	}
}

// open lists the archive.
func open(t *testing.T, sealed []byte, id age.Identity) string {
	t.Helper()
	plain, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	archive := tar.NewReader(plain)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return list.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&list, "%s %o %s;", h.Name, h.Mode, data)
	}
}

// What is cut off anywhere, or changed, is found out.
func TestTampered(t *testing.T) {
	id, to := identity(t)
	var sealed bytes.Buffer
	if err := Write(&sealed, to, batch(200)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"cut off":    sealed.Bytes()[:sealed.Len()-1],
		"in chunks":  sealed.Bytes()[:sealed.Len()/65536*65536],
		"one bit":    flipped(sealed.Bytes(), sealed.Len()/2),
		"the header": flipped(sealed.Bytes(), 60),
	} {
		plain, err := age.Decrypt(bytes.NewReader(bad), id)
		if err == nil {
			_, err = io.Copy(io.Discard, plain)
		}
		if err == nil {
			t.Errorf("%s: opens", name)
		}
	}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	_, to := identity(t)
	for _, size := range []int{0, 100, 1000, 100_000, 300_000} {
		if err := Write(&full{size}, to, batch(200)); err == nil {
			t.Errorf("%d bytes of disk: no error", size)
		}
	}
}

// Parse never says what it was given: it may be a secret.
func TestParseRefuses(t *testing.T) {
	id, _ := identity(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ in, why string }{
		"secret key":            {id.String(), "line 1: a secret key"},
		"post-quantum secret":   {"\n" + hybrid.String(), "line 2: a secret key"},
		"an identity file":      {"# public key: " + id.Recipient().String() + "\n" + id.String(), "line 2: a secret key"},
		"a typo":                {id.Recipient().String()[:40] + "x", "line 1: no age recipient"},
		"lower-case secret key": {strings.ToLower(id.String()), "line 1: no age recipient"},
		"ssh":                   {"ssh-ed25519 AAAA", "line 1: no age recipient"},
	} {
		_, err := Parse(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.why) || strings.Contains(strings.ToLower(err.Error()), strings.ToLower(id.String())) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Recipients{}).Check(); err == nil {
		t.Error("nobody can open it")
	}
	mixed, err := Parse(id.Recipient().String() + "\n" + hybrid.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	if mixed.Check() == nil {
		t.Error("a classic and a post-quantum recipient mix")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n# x\n")
	f.Add("AGE-SECRET-KEY-1")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(strings.Join(r.Names(), "\n"))
		if err != nil || len(again.list) != len(r.list) {
			t.Errorf("%q: %v", r.Names(), err)
		}
	})
}
