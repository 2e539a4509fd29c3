package delivery

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/nvs"
)

var lab = Network{SSID: "lab", Host: "boot.example.net", Port: 8123}

// authorities are made once: the boards' and the RADIUS servers'.
var authorities = sync.OnceValues(func() (boards, radius *pki.Authority) {
	return newAuthority(pki.Boards, custody.P256), newAuthority(pki.RADIUS, custody.P256)
})

func newAuthority(h pki.Hierarchy, kind custody.Kind) *pki.Authority {
	var keys [2]crypto.Signer
	for i := range keys {
		key, err := custody.Generate(kind)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	a, err := pki.NewAuthority(h, "lab", keys[0], keys[1], pki.DefaultTemplates())
	if err != nil {
		panic(err)
	}
	return a
}

func newCredential(t *testing.T, mac string) *pki.Credential {
	t.Helper()
	m, err := fleet.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	boards, _ := authorities()
	return issue(t, boards, m)
}

func issue(t *testing.T, boards *pki.Authority, m fleet.MAC) *pki.Credential {
	t.Helper()
	c, err := boards.IssueBoard(m, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A board with an RSA key gets the same files, and an NVS image that holds them.
func TestRSABoard(t *testing.T) {
	boards, radius := newAuthority(pki.Boards, custody.RSA2048), newAuthority(pki.RADIUS, custody.RSA2048)
	c := issue(t, boards, fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 0x02})
	files, err := ForBoard(c, lab, radius.Root, fleet.TLS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(files[CertificateFile], files[KeyFile]); err != nil {
		t.Error(err)
	}
	if !bytes.HasPrefix(files[KeyFile], []byte("-----BEGIN PRIVATE KEY-----\n")) {
		t.Errorf("the loader of 2017 does not find a key in %.40q", files[KeyFile])
	}
	image, err := NVS(c, lab, radius.Root, 0x3000)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(files[KeyFile])
	entries, err := nvs.Parse(image)
	if err != nil || !slices.ContainsFunc(entries, func(e nvs.Entry) bool {
		return e.Key == "client_key" && reflect.DeepEqual(e.Value, nvs.Blob(block.Bytes))
	}) {
		t.Errorf("%v, or another key in the NVS image", err)
	}
	c.Key = issue(t, boards, c.MAC).Key
	if _, err := ForBoard(c, lab, radius.Root, fleet.TLS); err == nil {
		t.Error("took another board's key")
	}
}

func TestForBoard(t *testing.T) {
	_, radius := authorities()
	c := newCredential(t, "24:6f:28:aa:10:02")
	files, err := ForBoard(c, lab, radius.Root, fleet.TLS|fleet.PEAP)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := files.String(), "main/wpa2_ca.pem main/wpa2_client.crt main/wpa2_client.key sdkconfig.defaults"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	want := fmt.Sprintf(`# Board 246f28aa1002, EAP methods tls,peap. Secret: for this board alone.
# Values in an existing sdkconfig beat these: remove it before building.
CONFIG_WIFI_SSID="lab"
CONFIG_EAP_PASSWORD="%s"
CONFIG_UPDATE_SERVER="boot.example.net"
CONFIG_UPDATE_PORT="8123"
`, c.Password)
	if got := string(files[DefaultsFile]); got != want {
		t.Errorf("defaults:\n%s\nwant:\n%s", got, want)
	}
	pair, err := tls.X509KeyPair(files[CertificateFile], files[KeyFile])
	if err != nil || len(pair.Certificate) != 1 || !bytes.Equal(pair.Certificate[0], c.Certificate.Raw) {
		t.Errorf("certificate and key: %d certificates, %v", len(pair.Certificate), err)
	}
	if block, rest := pem.Decode(files[KeyFile]); block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
		t.Errorf("key in %v, %d bytes behind", block, len(rest))
	}
	if block, rest := pem.Decode(files[CAFile]); block == nil || !bytes.Equal(block.Bytes, radius.Root.Raw) || len(rest) > 0 {
		t.Errorf("CA file is not the RADIUS root alone: %d bytes behind", len(rest))
	}
}

// The one anchor a board gets must not let a board, or an image server, play
// the RADIUS server.
func TestAnchorIsTheRADIUSRootAlone(t *testing.T) {
	boards, radius := authorities()
	c := newCredential(t, "24:6f:28:aa:10:02")
	files, err := ForBoard(c, lab, radius.Root, fleet.TLS)
	if err != nil {
		t.Fatal(err)
	}
	pool, intermediates := x509.NewCertPool(), x509.NewCertPool()
	if !pool.AppendCertsFromPEM(files[CAFile]) {
		t.Fatal("no anchor")
	}
	intermediates.AddCert(boards.CA)
	if _, err := c.Certificate.Verify(x509.VerifyOptions{Roots: pool, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Error("a board's certificate passes for the RADIUS server's")
	}
	if bytes.Contains(files[DefaultsFile], []byte("PRIVATE")) || !bytes.Contains(files[DefaultsFile], []byte("registered nowhere")) {
		t.Errorf("defaults without password methods:\n%s", files[DefaultsFile])
	}
}

// altered returns what makes other credentials of c.
func altered(c *pki.Credential) func(do func(c *pki.Credential)) *pki.Credential {
	return func(do func(c *pki.Credential)) *pki.Credential {
		other := *c
		do(&other)
		return &other
	}
}

func TestForBoardRefuses(t *testing.T) {
	boards, radius := authorities()
	one, two := newCredential(t, "24:6f:28:aa:10:02"), newCredential(t, "24:6f:28:aa:10:03")
	with := altered(one)
	for _, tt := range []struct {
		name string
		c    *pki.Credential
		n    Network
		root *x509.Certificate
		want string
	}{
		{"another's key", with(func(c *pki.Credential) { c.Key = two.Key }), lab, radius.Root, "the key is not the certificate's"},
		{"another's certificate", with(func(c *pki.Credential) { c.Key, c.Certificate = two.Key, two.Certificate }), lab, radius.Root, `the certificate is "246f28aa1003"'s`},
		{"no password", with(func(c *pki.Credential) { c.Password = "" }), lab, radius.Root, "no password"},
		{"the RADIUS CA for its root", one, lab, radius.CA, "what should be the RADIUS root is not a root"},
		{"a leaf for a root", one, lab, one.Certificate, "what should be the RADIUS root is not a root"},
		{"the boards' CA for a root", one, lab, boards.CA, "what should be the RADIUS root is not a root"},
		{"no SSID", one, Network{"", "h", 1}, radius.Root, `SSID "": want 1 to 32 bytes`},
		{"SSID too long", one, Network{strings.Repeat("é", 17), "h", 1}, radius.Root, `SSID "` + strings.Repeat("é", 17) + `": want 1 to 32 bytes`},
		{"SSID with an option", one, Network{"a\nCONFIG_X=y", "h", 1}, radius.Root, "option WIFI_SSID: a line break cannot be expressed in an sdkconfig file"},
		{"no host", one, Network{"a", "", 1}, radius.Root, "image server: no host"},
		{"IPv6", one, Network{"a", "2001:db8::1", 1}, radius.Root, "image server 2001:db8::1: loaders reach IPv4 addresses only"},
		{"no port", one, Network{"a", "h", 0}, radius.Root, "image server: no port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := ForBoard(tt.c, tt.n, tt.root, fleet.TLS)
			if want := "delivery of 246f28aa1002: " + tt.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if files != nil {
				t.Errorf("made %v all the same", files)
			}
		})
	}
}

// Whatever an SSID holds, it stays one value of one option.
func TestSSIDsReadBack(t *testing.T) {
	_, radius := authorities()
	c := newCredential(t, "24:6f:28:aa:10:02")
	for _, ssid := range []string{"lab", ` a "b" \c\`, "$(HOME) ${X} %{y}", "# not a comment; 'x'", "été 世界", `\"`, "\t"} {
		n := lab
		n.SSID = ssid
		files, err := ForBoard(c, n, radius.Root, fleet.TLS)
		if err != nil {
			t.Errorf("%q: %v", ssid, err)
			continue
		}
		d, err := kconfig.ReadDefaults(DefaultsFile, files[DefaultsFile])
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := d.Get("WIFI_SSID"); !ok || v != kconfig.String(ssid) || len(slices.Collect(d.All())) != 4 || len(d.Problems()) > 0 {
			t.Errorf("%q reads back as %v in\n%s", ssid, v, files[DefaultsFile])
		}
	}
}

func TestPath(t *testing.T) {
	if got := Path(fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 0x02}); got != "02/246f28aa1002" {
		t.Errorf("%s", got)
	}
}

func TestFilesPrintNoSecret(t *testing.T) {
	f := Files{"a": []byte("secret")}
	for _, got := range []string{fmt.Sprint(f), fmt.Sprintf("%+v %#v %s", f, f, f), f.LogValue().String()} {
		if strings.Contains(got, "secret") || strings.Contains(got, "115 101") {
			t.Errorf("printed %s", got)
		}
	}
}

// What is one board's own is told apart from what all boards share.
func TestShared(t *testing.T) {
	all, err := lab.Options("secret-of-one-board")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := lab.Shared()
	if err != nil {
		t.Fatal(err)
	}
	rest := slices.DeleteFunc(all, func(a kconfig.Assignment) bool { return Secret(a.Name) })
	if len(rest) != 3 || !slices.Equal(rest, shared) {
		t.Errorf("without the secret %v, shared %v", rest, shared)
	}
	if _, err := (Network{"lab", "2001:db8::1", 8123}).Shared(); err == nil {
		t.Error("an IPv6 address is shared")
	}
}
