package delivery

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/nvs"
)

// NVSFile is where the image that NVS makes lies in a delivery.
const NVSFile = "nvs.bin"

// The names under which a board finds its credential. They are compiled into
// loaders: a name, once given, keeps its type and its meaning.
const (
	NVSSlot   = "cred0" // the namespace that a delivery fills
	NVSLayout = 1       // what the key layout says of this list

	keyLayout     = "layout"      // u8: NVSLayout; a loader refuses one that it does not know
	keyGeneration = "generation"  // u64: when it was issued, in seconds since 1970
	keyIdentity   = "identity"    // string: EAP identity, the MAC
	keyPassword   = "password"    // string: for PEAP and TTLS
	keyClientCert = "client_cert" // blob: the board's certificate, DER, alone
	keyClientKey  = "client_key"  // blob: its private key, PKCS#8 DER, in the clear
	keyRADIUSRoot = "radius_root" // blob: whom the board lets be its RADIUS server, DER
	keySSID       = "ssid"        // string
	keyServer     = "server"      // string: host of the image server
	keyPort       = "port"        // u16
)

// NVS makes the image of the partition in which the board that c was issued to
// finds what ForBoard gives it in files, so that one build serves all boards.
// size is the partition's, in bytes: three pages of 4096 or more, or one or two
// if the partition table marks it read-only. The image is plain, and as secret as
// the files; nvs.Encrypt encrypts it.
//
// All of it lies in the namespace cred0:
//
//	layout       u8      1: of this list
//	generation   u64     1795176000   when it was issued, in seconds since 1970
//	identity     string  246f28aa1002
//	password     string  kq3…
//	client_cert  blob    DER
//	client_key   blob    PKCS#8 DER
//	radius_root  blob    DER
//	ssid         string  lab
//	server       string  boot.example.net
//	port         u16     8123
//
// A slot is whole in itself, so that a board can keep what it has in one and try
// what is newer, by its generation, in another: cred1 is left to the board. When it
// renews its certificate it makes a key and fills a slot with the same list, the
// generation one higher, and with "tries" (u8), and empties the other when the server
// has answered by the new one. So a program goes by the slot that has a layout and a
// client_key, and where both have, by the later generation. The password is there even
// when no method uses it, as it is in the files.
func NVS(c *pki.Credential, n Network, radiusRoot *x509.Certificate, size int) ([]byte, error) {
	entries, err := nvsEntries(c, n, radiusRoot)
	if err != nil {
		return nil, fmt.Errorf("NVS image of %s: %w", c.MAC, err)
	}
	image, err := nvs.Build(size, entries)
	if err != nil {
		return nil, fmt.Errorf("NVS image of %s: %w", c.MAC, err)
	}
	return image, nil
}

// nvsEntries refuses what ForBoard refuses: both forms take the same values.
func nvsEntries(c *pki.Credential, n Network, radiusRoot *x509.Certificate) ([]nvs.Entry, error) {
	if err := check(c, radiusRoot); err != nil {
		return nil, err
	}
	if _, err := n.Options(c.Password); err != nil {
		return nil, err
	}
	issued := c.Issued.Unix()
	if issued <= 0 {
		return nil, errors.New("no time of issue")
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		return nil, errors.New("the key cannot be written down")
	}
	return []nvs.Entry{
		{Namespace: NVSSlot, Key: keyLayout, Value: nvs.U8(NVSLayout)},
		{Namespace: NVSSlot, Key: keyGeneration, Value: nvs.U64(issued)},
		{Namespace: NVSSlot, Key: keyIdentity, Value: nvs.String(c.MAC.String())},
		{Namespace: NVSSlot, Key: keyPassword, Value: nvs.String(c.Password)},
		{Namespace: NVSSlot, Key: keyClientCert, Value: nvs.Blob(c.Certificate.Raw)},
		{Namespace: NVSSlot, Key: keyClientKey, Value: nvs.Blob(key)},
		{Namespace: NVSSlot, Key: keyRADIUSRoot, Value: nvs.Blob(radiusRoot.Raw)},
		{Namespace: NVSSlot, Key: keySSID, Value: nvs.String(n.SSID)},
		{Namespace: NVSSlot, Key: keyServer, Value: nvs.String(n.Host)},
		{Namespace: NVSSlot, Key: keyPort, Value: nvs.U16(n.Port)},
	}, nil
}
