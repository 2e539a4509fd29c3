// Package pki makes and issues the certificates of one site.
//
// # Hierarchies
//
// A site has three, each with a self-signed root of its own:
//
//	<site> boards root  ─► <site> boards CA  ─► one client certificate per board
//	<site> RADIUS root  ─► <site> RADIUS CA  ─► the RADIUS server, radius.<site>
//	<site> servers root ─► <site> servers CA ─► the image servers, update.<site>
//
// RADIUS and the image servers trust the boards CA. A board holds the RADIUS
// root to judge the RADIUS server, and the servers root to judge the image
// server, and nothing else. With one root for all, the key of a stolen board
// could play the RADIUS server to a loader of 2017, which compares no names.
//
// A root signs its issuing CA and is then needed no more, until that gets a new
// certificate or a successor: its key can be kept away from the site. An issuing CA signs certificates of one use (client or
// server), CRLs and the certificate of an OCSP responder.
//
// An issuing CA that gets another key is another CA, with a number in its name,
// "<site> boards CA 2"; the root vouches for both. See Succeed.
//
// # Kinds of keys
//
// Every key is P-256 unless the site wants it otherwise. The supplicant of ESP-IDF
// before 4.1, and so the unmodified loader of 2017, knows RSA alone: it offers the
// cipher suites TLS_RSA_WITH_… with AES-CBC, 3DES and RC4, verifies PKCS #1 v1.5
// signatures with MD5, SHA-1 or SHA-256, and loads RSA keys only (tlsv1_client.c,
// x509v3.c, crypto_internal-rsa.c in ESP-IDF 3.1, the first with sources; before, it
// was a library without). For its sake boards and RADIUS can be RSA-2048: a boards CA
// with such a key gives its boards RSA-2048 keys. 2048 bits and not more, because
// the supplicant of today with an RSA root of more offers RSA suites only.
//
// # What a certificate says
//
//	                 root          CA                    board         server
//	common name      see above     see above             the MAC       its logical name
//	DNS names        –             –                     –             its logical name
//	CA, path length  yes, 1        yes, 0                no            no
//	key usage        certSign, crlSign (both)            digitalSignature (both),
//	                                                                   RADIUS with RSA:
//	                                                                   keyEncipherment
//	extended usage   –             leaf's, OCSPSigning   clientAuth    serverAuth
//	not before       1970-01-01    1970-01-01            1970-01-01    1970-01-01
//	not after        9999-12-31    9999-12-31 (boards)   9999-12-31    ten years
//	                               2099-12-31 (others)
//
// No further extension stands in one, but for the key identifiers: authority
// (all but roots), subject (roots and CAs). A serial number is 16 random bytes.
// The shapes come from templates that a site may replace, for example to add an
// organisation to the subject. Whatever a template renders is compared with this
// table, before it is signed and after.
//
// # Times
//
// What ends a board's credential is the registry, not a date: a board has no
// clock, and no way home once RADIUS calls its certificate expired. So board
// certificates and all that they hang from never end, and neither does a root
// that boards carry. The CAs of the servers end in 2099, and a server's
// certificate ten years after it was issued: supplicants with a clock check
// it, and its renewal touches no board, because boards know the root and the
// name. All begin in 1970, where the clock of a board without a battery stands
// at power-on. The supplicant of 2017 reads no dates at all: its x509_parse_time
// returns 0 whatever it is given, and time checks are off unless the application
// turns them on (gl_disable_time_check). So 9999 does not hurt it.
//
// # Names
//
// The names that boards match are logical: they are fixed when the site is made
// and need not resolve, so that servers may move.
package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Hierarchy is one root with what hangs from it.
type Hierarchy string

// The hierarchies of a site.
const (
	Boards  Hierarchy = "boards"
	RADIUS  Hierarchy = "radius"
	Servers Hierarchy = "servers"
)

var (
	notBefore = time.Unix(0, 0).UTC()
	never     = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) // RFC 5280, 4.1.2.5
	serversCA = time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)

	// written is before any clock that is right: a clock that says an earlier
	// time was lost, and nothing is dated by it.
	written = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// serverYears is how long a server's certificate holds.
const serverYears = 10

func (h Hierarchy) check() error {
	switch h {
	case Boards, RADIUS, Servers:
		return nil
	}
	return fmt.Errorf("hierarchy %q: want %s, %s or %s", string(h), Boards, RADIUS, Servers)
}

// title is how h reads in a subject.
func (h Hierarchy) title() string {
	if h == RADIUS {
		return "RADIUS"
	}
	return string(h)
}

func (h Hierarchy) rootName(site string) string { return site + " " + h.title() + " root" }

// caName is the name of the how-manieth CA.
func (h Hierarchy) caName(site string, number int) string {
	name := site + " " + h.title() + " CA"
	if number > 1 {
		name += " " + strconv.Itoa(number)
	}
	return name
}

// use is what the leaves of h are for.
func (h Hierarchy) use() x509.ExtKeyUsage {
	if h == Boards {
		return x509.ExtKeyUsageClientAuth
	}
	return x509.ExtKeyUsageServerAuth
}

// useName is use in the words of a template.
func (h Hierarchy) useName() string {
	if h == Boards {
		return "clientAuth"
	}
	return "serverAuth"
}

func (h Hierarchy) caEnd() time.Time {
	if h == Boards {
		return never
	}
	return serversCA
}

// RADIUSName is the name that boards match in the RADIUS server's certificate.
func RADIUSName(site string) string { return "radius." + site }

// UpdateName is the name that boards match in an image server's certificate.
func UpdateName(site string) string { return "update." + site }

// CheckSite says why s cannot be the name of a site: it becomes a label of the
// logical names, and stands in subjects, which hold 64 characters.
func CheckSite(s string) error {
	if len(s) > 50 {
		return fmt.Errorf("site name %.50q…: longer than 50 characters", s)
	}
	if err := checkLabel(s); err != nil {
		return fmt.Errorf("site name %q: %w", s, err)
	}
	return nil
}

// checkDNSName says why s is not a DNS name in its one spelling: lower case, no
// final dot, no wildcard.
func checkDNSName(s string) error {
	if len(s) > 64 {
		return fmt.Errorf("server name %.64q…: longer than 64 characters, the most of a common name", s)
	}
	for label := range strings.SplitSeq(s, ".") {
		if err := checkLabel(label); err != nil {
			return fmt.Errorf("server name %q: %w", s, err)
		}
	}
	return nil
}

var errLabel = errors.New("want lower-case letters, digits and hyphens, no hyphen first or last")

func checkLabel(s string) error {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return errLabel
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return errLabel
		}
	}
	return nil
}
