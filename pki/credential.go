package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 MSCHAPv2 is defined over MD4

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Credential is what one board proves itself with. It holds secrets, lives
// only until they are delivered, and prints as its MAC alone.
type Credential struct {
	MAC         fleet.MAC
	Password    string
	Key         crypto.Signer // in memory
	Certificate *x509.Certificate
	Issuer      fleet.Digest // the Authority's
	Issued      time.Time
}

// Admission returns the public half of c: what a registry keeps. It holds no NT
// hash unless a method of e proves the password.
func (c Credential) Admission(e fleet.EAP) fleet.Admission {
	a := fleet.Admission{
		Serial:      SerialOf(c.Certificate),
		Certificate: fleet.Sum(c.Certificate.Raw),
		Issuer:      c.Issuer,
		Issued:      c.Issued,
	}
	if e.UsesPassword() {
		a.NTHash = NTHash(c.Password)
	}
	return a
}

// CertificatePEM returns the certificate alone, without its CA.
func (c Credential) CertificatePEM() []byte { return CertificatePEM(c.Certificate) }

// KeyPEM returns the key in PKCS#8, not encrypted.
func (c Credential) KeyPEM() ([]byte, error) { return KeyPEM(c.Key) }

func (c Credential) String() string       { return "credential of " + c.MAC.String() }
func (c Credential) GoString() string     { return c.String() }
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// CertificatePEM returns the certificates as PEM, one after the other.
func CertificatePEM(certificates ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// KeyPEM returns a key that lies in memory in PKCS#8, not encrypted: for those
// who start without a person to ask, a board or a RADIUS server.
func KeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("key of type %T: cannot be written down", key)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// SerialOf returns the serial number of a certificate that this package issued.
// One that does not fit, as others' may not, is the zero Serial.
func SerialOf(c *x509.Certificate) (s fleet.Serial) {
	if c.SerialNumber.Sign() < 0 || c.SerialNumber.BitLen() > 8*len(s) {
		return fleet.Serial{}
	}
	c.SerialNumber.FillBytes(s[:])
	return s
}

// NewPassword returns 128 random bits or more as 26 characters a-z and 2-7,
// which need no quoting in sdkconfig, RADIUS and hostapd files, SQL or a shell.
func NewPassword() string { return strings.ToLower(rand.Text()) }

// NTHash returns the MD4 of the password in UTF-16LE, as MSCHAPv2 defines it. It
// protects nothing: whoever has it can log in.
func NTHash(password string) (n fleet.NTHash) {
	h := md4.New()
	binary.Write(h, binary.LittleEndian, utf16.Encode([]rune(password)))
	h.Sum(n[:0])
	return n
}
