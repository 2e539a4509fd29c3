package delivery

import (
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/nvs"
)

// The names and types are compiled into loaders: here they stand as literals.
func TestNVS(t *testing.T) {
	_, radius := authorities()
	c := newCredential(t, "24:6f:28:aa:10:02")
	for _, size := range []int{0x1000, 0x3000, 0x8000} {
		image, err := NVS(c, lab, radius.Root, size)
		if err != nil || len(image) != size {
			t.Fatalf("%d bytes, %v, want %d", len(image), err, size)
		}
		entries, err := nvs.Parse(image)
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.MarshalPKCS8PrivateKey(c.Key)
		if err != nil {
			t.Fatal(err)
		}
		want := []nvs.Entry{
			{Namespace: "cred0", Key: "layout", Value: nvs.U8(1)},
			{Namespace: "cred0", Key: "generation", Value: nvs.U64(1795176000)},
			{Namespace: "cred0", Key: "identity", Value: nvs.String("246f28aa1002")},
			{Namespace: "cred0", Key: "password", Value: nvs.String(c.Password)},
			{Namespace: "cred0", Key: "client_cert", Value: nvs.Blob(c.Certificate.Raw)},
			{Namespace: "cred0", Key: "client_key", Value: nvs.Blob(key)},
			{Namespace: "cred0", Key: "radius_root", Value: nvs.Blob(radius.Root.Raw)},
			{Namespace: "cred0", Key: "ssid", Value: nvs.String("lab")},
			{Namespace: "cred0", Key: "server", Value: nvs.String("boot.example.net")},
			{Namespace: "cred0", Key: "port", Value: nvs.U16(8123)},
		}
		if !reflect.DeepEqual(entries, want) {
			t.Errorf("%#x bytes: got %v, want %v, or other values", size, entries, want)
		}
	}
}

// The files and the image hold the same credential.
func TestNVSHoldsWhatTheFilesDo(t *testing.T) {
	_, radius := authorities()
	c := newCredential(t, "24:6f:28:aa:10:02")
	files, err := ForBoard(c, lab, radius.Root, fleet.TLS)
	if err != nil {
		t.Fatal(err)
	}
	image, err := NVS(c, lab, radius.Root, 0x3000)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := nvs.Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	for file, key := range map[string]string{CAFile: "radius_root", CertificateFile: "client_cert", KeyFile: "client_key"} {
		block, _ := pem.Decode(files[file])
		found := false
		for _, e := range entries {
			found = found || e.Key == key && string(e.Value.(nvs.Blob)) == string(block.Bytes)
		}
		if !found {
			t.Errorf("%s is not what %s holds", key, file)
		}
	}
}

func TestNVSRefuses(t *testing.T) {
	_, radius := authorities()
	one, two := newCredential(t, "24:6f:28:aa:10:02"), newCredential(t, "24:6f:28:aa:10:03")
	with := altered(one)
	for _, tt := range []struct {
		name string
		c    *pki.Credential
		n    Network
		root *x509.Certificate
		size int
		want string
	}{
		{"another's key", with(func(c *pki.Credential) { c.Key = two.Key }), lab, radius.Root, 0x3000, "the key is not the certificate's"},
		{"another's certificate", with(func(c *pki.Credential) { c.Key, c.Certificate = two.Key, two.Certificate }), lab, radius.Root, 0x3000, `the certificate is "246f28aa1003"'s`},
		{"the RADIUS CA for its root", one, lab, radius.CA, 0x3000, "what should be the RADIUS root is not a root"},
		{"no password", with(func(c *pki.Credential) { c.Password = "" }), lab, radius.Root, 0x3000, "no password"},
		{"no time of issue", with(func(c *pki.Credential) { c.Issued = time.Time{} }), lab, radius.Root, 0x3000, "no time of issue"},
		{"no port", one, Network{"lab", "h", 0}, radius.Root, 0x3000, "image server: no port"},
		{"SSID with a NUL", one, Network{"a\x00b", "h", 1}, radius.Root, 0x3000, ""},
		{"host too long", one, Network{"lab", strings.Repeat("h", 4000), 1}, radius.Root, 0x3000, "entry 8: cred0/server: string of 4000 bytes: at most 3999"},
		{"half a page", one, lab, radius.Root, 0x2800, "partition of 10240 bytes: want a multiple of 4096, up to 16777216"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image, err := NVS(tt.c, tt.n, tt.root, tt.size)
			if err == nil || !strings.HasPrefix(err.Error(), "NVS image of 246f28aa1002: "+tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if image != nil {
				t.Error("made an image all the same")
			}
		})
	}
}
