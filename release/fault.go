package release

import (
	"fmt"

	"github.com/tcpboot/tcpboot/release/cose"
)

// A Fault is the kind of thing that is wrong with a release, beside those of
// packages cose and sitedoc. It is found in errors with errors.Is.
type Fault string

// The faults.
const (
	Invalid    Fault = "not a valid manifest"            // signed as it may be
	OtherSite  Fault = "manifest of another site"        // though by a key that is trusted
	OtherBoard Fault = "not for this board"              // hardware, chip, channel or loader
	Stale      Fault = "older than what the board has"   // sequence or counter
	Mismatch   Fault = "not what the manifest states"    // image or chunk list
	BadImage   Fault = "not an image that boards accept" // structure, chip or signature
	OtherKey   Fault = "none of those that count"        // the app key that signed it
)

// Error makes a Fault an error.
func (f Fault) Error() string { return string(f) }

var errNotSingle = fmt.Errorf("is a COSE_Sign, want COSE_Sign1: %w", cose.Encoding)

func manifestError(err error) error { return fmt.Errorf("manifest: %w", err) }

func invalid(err error) error { return fmt.Errorf("manifest: %v: %w", err, Invalid) }

func tooLong(n int) error {
	return fmt.Errorf("manifest: %d bytes, more than %d: %w", n, MaxSigned, cose.TooLong)
}
