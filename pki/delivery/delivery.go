// Package delivery makes what one board is handed: the files that a loader
// project is built with for this board and no other.
//
//	sdkconfig.defaults     the network, the password and the image server
//	main/wpa2_ca.pem       the RADIUS root: whom the board lets be its RADIUS server
//	main/wpa2_client.crt   the board's certificate, alone
//	main/wpa2_client.key   its private key, PKCS#8 in the clear
//
// The loader of 2017 takes a key between "BEGIN PRIVATE KEY" lines as well as one
// between "BEGIN RSA PRIVATE KEY" lines (tlsv1_cred.c), but only an RSA key.
//
// These are the names that the loader of 2017 embeds, and its four options:
//
//	CONFIG_WIFI_SSID="lab"
//	CONFIG_EAP_PASSWORD="kq3…"
//	CONFIG_UPDATE_SERVER="boot.example.net"
//	CONFIG_UPDATE_PORT="8123"
//
// All four are strings there, the port too: it goes to getaddrinfo as it is.
// There is no option for the identity. The loader uses its station MAC, twelve
// lower-case hex digits, and so does a delivery: Path names its folder by it.
//
// A delivery is one-time and secret. Whoever reads it is the board, at RADIUS
// and at the image server, until the credential is rotated; whoever can change
// it chooses the RADIUS server and the image server of the next build. Losing it
// costs a rotation: the registry keeps neither password nor key.
//
// A board whose methods need no password gets a random one all the same, because
// the loader of 2017 sets one in any case. No hash of it is registered then.
//
// # Signed updates
//
// LoaderOptions are what a loader on a current ESP-IDF is built with so that it
// refuses unsigned applications. Overrides tells what an existing sdkconfig has
// to say against them.
package delivery

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// The files of a delivery, inside its folder and inside a loader project alike.
const (
	DefaultsFile    = "sdkconfig.defaults"
	CAFile          = "main/wpa2_ca.pem"
	CertificateFile = "main/wpa2_client.crt"
	KeyFile         = "main/wpa2_client.key"
)

// Files are what one board is handed: path, with slashes, → content. They hold
// secrets, and print as their names alone.
type Files map[string][]byte

func (f Files) String() string {
	return strings.Join(slices.Sorted(maps.Keys(f)), " ")
}
func (f Files) GoString() string     { return f.String() }
func (f Files) LogValue() slog.Value { return slog.StringValue(f.String()) }

// A Handout is what one board is handed, and the serial of the certificate in it.
type Handout struct {
	MAC    fleet.MAC
	Serial fleet.Serial
	Files  Files
}

// Path returns the folder of a board's delivery, below the folder of all: its
// last octet, so that no folder gets too large, and its MAC.
func Path(m fleet.MAC) string {
	s := m.String()
	return s[len(s)-2:] + "/" + s
}

// A Network is where boards go: the Wi-Fi network and, on it, the image server.
type Network struct {
	SSID string
	Host string // a name or an IPv4 address: loaders ask for no other
	Port uint16
}

// ForBoard makes the delivery of the board that c was issued to. radiusRoot is
// what the board will trust as its RADIUS server's root, and e its methods. It
// refuses what would make a board that can never join.
func ForBoard(c *pki.Credential, n Network, radiusRoot *x509.Certificate, e fleet.EAP) (Files, error) {
	if err := check(c, radiusRoot); err != nil {
		return nil, fmt.Errorf("delivery of %s: %w", c.MAC, err)
	}
	key, err := c.KeyPEM()
	if err != nil {
		return nil, fmt.Errorf("delivery of %s: %w", c.MAC, err)
	}
	options, err := n.Options(c.Password)
	if err != nil {
		return nil, fmt.Errorf("delivery of %s: %w", c.MAC, err)
	}
	return Files{
		DefaultsFile:    defaults(c.MAC, e, options),
		CAFile:          pki.CertificatePEM(radiusRoot),
		CertificateFile: c.CertificatePEM(),
		KeyFile:         key,
	}, nil
}

// check refuses parts that do not belong together.
func check(c *pki.Credential, radiusRoot *x509.Certificate) error {
	switch {
	case !samePublic(c.Key.Public(), c.Certificate.PublicKey):
		return errors.New("the key is not the certificate's")
	case c.Certificate.Subject.CommonName != c.MAC.String():
		return fmt.Errorf("the certificate is %q's", c.Certificate.Subject.CommonName)
	case !radiusRoot.IsCA || string(radiusRoot.RawSubject) != string(radiusRoot.RawIssuer):
		return errors.New("what should be the RADIUS root is not a root")
	}
	return nil
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// Secret reports whether an option holds a secret of one board.
func Secret(option string) bool { return option == passwordOption }

const passwordOption = "EAP_PASSWORD"

// Options returns the four options of the 2017 loader.
func (n Network) Options(password string) ([]kconfig.Assignment, error) {
	if password == "" {
		return nil, errors.New("no password")
	}
	options, err := n.Shared()
	if err != nil {
		return nil, err
	}
	own := kconfig.Assignment{Name: passwordOption, Value: kconfig.String(password)}
	return slices.Insert(options, 1, own), own.Check()
}

// Shared returns those of the four that are the same for all boards.
func (n Network) Shared() ([]kconfig.Assignment, error) {
	switch addr, err := netip.ParseAddr(n.Host); {
	case n.SSID == "" || len(n.SSID) > 32:
		return nil, fmt.Errorf("SSID %q: want 1 to 32 bytes", n.SSID)
	case n.Host == "":
		return nil, errors.New("image server: no host")
	case err == nil && !addr.Is4():
		return nil, fmt.Errorf("image server %s: loaders reach IPv4 addresses only", n.Host)
	case n.Port == 0:
		return nil, errors.New("image server: no port")
	}
	options := []kconfig.Assignment{
		{Name: "WIFI_SSID", Value: kconfig.String(n.SSID)},
		{Name: "UPDATE_SERVER", Value: kconfig.String(n.Host)},
		{Name: "UPDATE_PORT", Value: kconfig.String(strconv.Itoa(int(n.Port)))},
	}
	for _, a := range options {
		if err := a.Check(); err != nil {
			return nil, err
		}
	}
	return options, nil
}

// defaults renders sdkconfig.defaults.
func defaults(m fleet.MAC, e fleet.EAP, options []kconfig.Assignment) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Board %s, EAP methods %s. Secret: for this board alone.\n", m, e)
	b.WriteString("# Values in an existing sdkconfig beat these: remove it before building.\n")
	if !e.UsesPassword() {
		b.WriteString("# The password is random and registered nowhere; the loader wants one.\n")
	}
	for _, a := range options {
		b.WriteString(a.String() + "\n")
	}
	return []byte(b.String())
}
