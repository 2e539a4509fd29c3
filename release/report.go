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

func (r *Report) proved(subject, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{subject, true, fmt.Sprintf(format, args...)})
}

func (r *Report) open(subject, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{subject, false, fmt.Sprintf(format, args...)})
}
