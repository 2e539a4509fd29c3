// Package custody keeps private keys and opens them by URI: a URI and a role go
// in, a crypto.Signer comes out.
//
// A key belongs to one role, and each role may have a passphrase of its own, so
// that whoever runs the image server does not thereby open the keys that sign
// firmware. Four kinds of key exist: P-256, P-384 and RSA with 3072 bits (what
// ESP32 chips can check), and RSA with 2048 bits (for boards whose TLS knows no
// curves). Nothing else is generated or opened.
//
// # Key files
//
// A key at rest is one PEM block, PKCS#8 encrypted by PBES2 (RFC 8018): PBKDF2
// with HMAC-SHA-256, then AES-CBC.
//
//	-----BEGIN ENCRYPTED PRIVATE KEY-----
//	MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg…
//	-----END ENCRYPTED PRIVATE KEY-----
//
// Seal writes 600,000 iterations and AES-256. Unseal also takes what
// "openssl genpkey -aes256" writes, within the bounds below; it takes no
// unencrypted key and none in the older PEM encryption ("Proc-Type: 4"), whose
// key derivation is a single MD5.
//
// PBES2 has no check of its own: a wrong passphrase and a damaged file look
// alike, and both are ErrPassphrase.
//
// # Key stores
//
// Every other scheme names a key store: a token, an HSM, a cloud. Its key never
// comes here. An executable named after the scheme is asked for each signature:
//
//	pkcs11:module-path=/usr/lib/softhsm/libsofthsm2.so;token=boards;object=ca?pin-source=file:/etc/tcpboot/boards.pin
//	└────┘ └───────────────────────────────────────────────────────────────────────────────────────────────────────┘
//	sigstore-kms-pkcs11                        the key, as that helper knows it
//
// Helpers speak version 1 of the plug-in protocol of sigstore (package
// cliplugin in github.com/sigstore/sigstore/pkg/signature/kms), so the same
// helpers serve other programs, and other people's helpers serve us. A helper is
// run once for each question: the first argument is "v1", the second a JSON
// object with the key's name, the method and, to sign, a digest; one JSON object
// comes back on standard output. Keys of the kind RSA3072 sign images, which takes
// RSA-PSS; the protocol has a name for keys that are made for it,
// rsa-sign-pss-3072-sha256, and no way to ask for such a signature. So there is a
// mode beside it.
//
// sigstore's own client is not used: it looks for helpers on PATH, lets them
// answer without end and write to our terminal, hands them our whole
// environment, and exits the program when one fails. Here a helper
//
//   - lies in the folder that the Keyring names, else beside this program or in
//     /usr/lib/tcpboot: a regular file that nobody but root and the user could
//     have put there;
//   - gets the few environment variables that its key store needs;
//   - must answer in time, in few bytes, and end with status 0, or is killed with
//     all that it started;
//   - is not believed: each signature is verified with the public key that was
//     read when the key was opened, before it is given out.
//
// # Digests with PSS
//
// A helper that is asked for RSA-PSS gets "tcpboot-v1" as its first argument, the
// version of this mode. All else is as in version 1, but for the method, of which
// there is one, and that the answer names the version:
//
//	{
//	  "initOptions": {"protocolVersion": "tcpboot-v1", "keyResourceID": "token=boards;object=app?…", …},
//	  "methodName": "signPSS",
//	  "signPSS": {"digest": "…", "hashFunc": 5, "saltLength": 32}
//	}
//
//	{"protocolVersion": "tcpboot-v1", "signPSS": {"signature": "…"}}
//	{"protocolVersion": "tcpboot-v1", "errorMessage": "no such key"}
//
//	digest      in base64, as long as hashFunc's are
//	hashFunc    5, 6 or 7: SHA-256, SHA-384, SHA-512 as crypto.Hash counts them; it
//	            made the digest, and MGF1 uses it too
//	saltLength  bytes, 1 to the length of the digest. A store that has another salt
//	            alone answers with an error
//	signature   in base64, big-endian, as long as the modulus
//
// A helper that does not know the mode cannot name it in an answer: whatever it
// says instead, an error or a signature of another kind, is taken as that.
//
// # What is not in a question
//
// The arguments of a process can be read by every user of the machine. So a key
// URI that bears a secret is refused before anything is run: a PIN lies in a
// file, which the URI names.
package custody

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
)

// A Role is the work that a key does.
type Role string

// The roles, as they are spelled in settings and passphrase files.
const (
	Boards      Role = "boards"       // the boards hierarchy: root and issuing CA
	RADIUS      Role = "radius"       // the RADIUS hierarchy, and the RADIUS server
	Servers     Role = "servers"      // the servers hierarchy, and the image server
	ReleaseRoot Role = "release-root" // signs the site document
	Release     Role = "release"      // signs manifests
	App         Role = "app"          // signs ESP32 images
	Backup      Role = "backup"       // no key: what backups of the site are encrypted with
)

// Roles lists every role.
func Roles() []Role { return []Role{Boards, RADIUS, Servers, ReleaseRoot, Release, App, Backup} }

// A Kind is an algorithm with its size.
type Kind string

// The kinds.
const (
	P256    Kind = "p256"
	P384    Kind = "p384"
	RSA2048 Kind = "rsa2048" // of certificates; no ESP32 image is signed with it
	RSA3072 Kind = "rsa3072" // of ESP32 images, by RSA-PSS
)

// Generate makes a new key of the kind k.
func Generate(k Kind) (crypto.Signer, error) {
	switch k {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("key kind %q: want %s, %s, %s or %s", string(k), P256, P384, RSA2048, RSA3072)
}

var errKind = errors.New("want P-256, P-384 or RSA with 2048 or 3072 bits and the exponent 65537")

// KindOf says of which kind a public key is. A key of no Kind is an error.
func KindOf(pub crypto.PublicKey) (Kind, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return kindOfCurve(pub.Curve)
	case *rsa.PublicKey:
		return kindOfRSA(pub.N.BitLen(), pub.E)
	}
	return "", fmt.Errorf("key of type %T: %w", pub, errKind)
}

func kindOfRSA(bits, exponent int) (Kind, error) {
	switch {
	case bits == 2048 && exponent == 65537:
		return RSA2048, nil
	case bits == 3072 && exponent == 65537:
		return RSA3072, nil
	}
	return "", fmt.Errorf("RSA key of %d bits, exponent %d: %w", bits, exponent, errKind)
}

func kindOfCurve(c elliptic.Curve) (Kind, error) {
	switch c {
	case elliptic.P256():
		return P256, nil
	case elliptic.P384():
		return P384, nil
	}
	return "", fmt.Errorf("elliptic curve key: %w", errKind)
}
