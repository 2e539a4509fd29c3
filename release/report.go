package release

import (
	"fmt"

	"github.com/tcpboot/tcpboot/release/cose"
)

// A Report says what Verify found out of a release that it did not refuse.
type Report struct {
	Signer   cose.KeyID `json:"signer"` // of the manifest
	Findings []Finding  `json:"findings"`
}

// A Finding is one thing that was looked at. Where it is not Proved, Detail says
// what was missing to prove it.
type Finding struct {
	Subject string `json:"subject"`
	Proved  bool   `json:"proved"`
	Detail  string `json:"detail"`

	// Beside says that it is about more than boards ask for, so that a release may be
	// offered though it is not Proved.
	Beside bool `json:"-"`
}

// Proved reports whether nothing was left open.
func (r *Report) Proved() bool {
	for _, f := range r.Findings {
		if !f.Proved {
			return false
		}
	}
	return true
}

// Offerable says what of that which boards ask for was left open; nil: nothing.
func (r *Report) Offerable() error {
	for _, f := range r.Findings {
		if !f.Proved && !f.Beside {
			return fmt.Errorf("%s: %s", f.Subject, f.Detail)
		}
	}
	return nil
}

func (r *Report) proved(subject, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Subject: subject, Proved: true, Detail: fmt.Sprintf(format, args...)})
}

func (r *Report) open(subject, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Subject: subject, Detail: fmt.Sprintf(format, args...)})
}
