// Package fleet holds the words that every other package shares: which board
// (MAC, Device), what it is (Chip), where it stands (State), what admits it
// (Admission), what it is offered (Offer, Pin) and when it called (Visit).
// They are values; nothing here reads, writes or dials.
//
// A Device moves through three states and never back:
//
//	Pending ──► Active ──► Revoked
//
// Pending: the registry knows the board, but nothing admits it yet. Active: its
// Admissions are what RADIUS and the image servers compare. Revoked is final;
// the board's successor is enrolled under its own MAC.
package fleet

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// A State is where a device stands: Pending, Active or Revoked.
type State string

// The states, in the only order in which a device passes through them.
const (
	Pending State = "pending"
	Active  State = "active"
	Revoked State = "revoked"
)

// A Device is what the registry knows of one board.
type Device struct {
	MAC      MAC    `json:"mac"`
	Name     string `json:"name,omitempty"`
	Hardware string `json:"hardware"` // a named entry of the site's settings
	Channel  string `json:"channel"`
	VLAN     VLAN   `json:"vlan,omitempty"`
	EAP      EAP    `json:"eap"`
	State    State  `json:"state"`
	Loader   Loader `json:"loader"`
	Pin      Pin    `json:"pin,omitzero"`

	// Admissions are the live credentials: none while Pending or Revoked, one
	// while Active, two during the grace of a rotation, newest first.
	Admissions []Admission `json:"admissions,omitempty"`

	Enrolled time.Time `json:"enrolled,omitzero"`
	Changed  time.Time `json:"changed,omitzero"`
	Reason   string    `json:"reason,omitempty"` // why it was revoked
}

// An Admission is the public half of one credential: what RADIUS and the image
// servers compare. It is not harmless: the NT hash is as good as the password.
type Admission struct {
	Serial      Serial    `json:"serial"`
	Certificate Digest    `json:"certificate"`     // SHA-256 of the DER certificate
	Issuer      Digest    `json:"issuer,omitzero"` // of the public key of its CA; zero: the site's first CA
	NTHash      NTHash    `json:"-"`               // zero: no method with a password
	Issued      time.Time `json:"issued"`
	Until       time.Time `json:"until,omitzero"` // end of a grace; zero: no end
}

// A Loader is the boot loader on a board's flash. The zero Loader is the
// unmodified one of 2017.
type Loader struct {
	Level   int    `json:"level"`            // 0 2017 loader, 1 signed updates, 2 ours
	Key     Digest `json:"key,omitzero"`     // Secure Boot key digest it trusts
	Version string `json:"version,omitzero"` // as it reports itself
}

// A Pin holds one board at one version, whatever its channel offers. The
// registry stores it uninterpreted. The zero Pin pins nothing.
type Pin struct {
	Version string `json:"version,omitempty"`
}

// An Offer says that a channel gives one release to the boards of one hardware.
// The registry stores it uninterpreted; package release gives it meaning.
type Offer struct {
	Hardware  string    `json:"hardware"`
	Channel   string    `json:"channel"`
	Version   string    `json:"version"`
	Manifest  Digest    `json:"manifest"` // of the signed manifest
	Sequence  uint64    `json:"sequence"`
	Percent   int       `json:"percent"` // of the boards, 0 … 100
	Paused    bool      `json:"paused,omitempty"`
	Published time.Time `json:"published"`
	Plan      Plan      `json:"plan,omitzero"`
	Reason    string    `json:"reason,omitempty"` // why it was published or held back, where somebody said so

	// Previous is what the channel offered to every board before: it stays for
	// those that this offer has not reached. It has none itself.
	Previous *Offer `json:"previous,omitempty"`
}

// A Visit is one connection of a board to an image server.
type Visit struct {
	MAC      MAC       `json:"mac"` // a claim when Protocol is "v1"
	Time     time.Time `json:"time"`
	Remote   string    `json:"remote"`
	Protocol string    `json:"protocol"`
	Version  string    `json:"version,omitempty"` // what was served
	Sent     int64     `json:"sent"`              // bytes of the answer that left
	Verdict  string    `json:"verdict"`
}

// A Digest is a SHA-256. It prints as "sha256:" and 64 hex digits. The zero
// Digest means that there is none.
type Digest [sha256.Size]byte

// Sum returns the Digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// ParseDigest reads what String prints.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(digits) != 2*len(d) || strings.ToLower(digits) != digits {
		return Digest{}, fmt.Errorf("digest %q: want sha256: and 64 lower-case hex digits", clip(s))
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, fmt.Errorf("digest %q: not hexadecimal", clip(s))
	}
	return d, nil
}

// String prints d as "sha256:" and 64 lower-case hex digits.
func (d Digest) String() string { return "sha256:" + d.Hex() }

// Hex prints d as 64 lower-case hex digits.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// MarshalText prints d as String does; the zero Digest is empty.
func (d Digest) MarshalText() ([]byte, error) {
	if d == (Digest{}) {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText prints.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	*d, err = ParseDigest(string(text))
	return err
}

// A Serial is the serial number of a certificate, big-endian. Its first byte is
// never zero, so that OpenSSL, FreeRADIUS and we print it alike: 32 lower-case
// hex digits.
type Serial [16]byte

// ParseSerial reads 32 lower-case hex digits.
func ParseSerial(s string) (Serial, error) {
	var n Serial
	if len(s) != 2*len(n) || strings.ToLower(s) != s {
		return Serial{}, fmt.Errorf("serial %q: want 32 lower-case hex digits", clip(s))
	}
	if _, err := hex.Decode(n[:], []byte(s)); err != nil || n[0] == 0 {
		return Serial{}, fmt.Errorf("serial %q: want 32 lower-case hex digits, the first two not 00", clip(s))
	}
	return n, nil
}

// String prints n as 32 lower-case hex digits.
func (n Serial) String() string { return hex.EncodeToString(n[:]) }

// MarshalText prints n as String does.
func (n Serial) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what ParseSerial reads.
func (n *Serial) UnmarshalText(text []byte) (err error) {
	*n, err = ParseSerial(string(text))
	return err
}

// An NTHash is the MD4 of a password in UTF-16LE, what MSCHAPv2 proves. Whoever
// has it can log in, so it prints as nothing: only Hex gives it away. The zero
// NTHash means that there is no password.
type NTHash [16]byte

// Hex prints h as 32 upper-case hex digits, for a RADIUS server's eyes.
func (h NTHash) Hex() string { return strings.ToUpper(hex.EncodeToString(h[:])) }

// IsZero reports whether there is no password.
func (h NTHash) IsZero() bool { return h == NTHash{} }

func (NTHash) String() string       { return "(secret)" }
func (NTHash) GoString() string     { return "(secret)" }
func (NTHash) LogValue() slog.Value { return slog.StringValue("(secret)") }

// ErrUnknown says that no device with that MAC is enrolled.
var ErrUnknown = errors.New("not enrolled")

// A Counter is a release's anti-rollback number. A board accepts no lower one.
// Generation counts first: only a new site document raises it, so that a stolen
// release key, which can sign any Count, cannot lock boards out for ever.
type Counter struct {
	Generation uint32 `json:"generation"`
	Count      uint32 `json:"count"`
}

// Compare orders counters: negative when c is below o, 0 when equal.
func (c Counter) Compare(o Counter) int {
	return cmp.Or(cmp.Compare(c.Generation, o.Generation), cmp.Compare(c.Count, o.Count))
}
