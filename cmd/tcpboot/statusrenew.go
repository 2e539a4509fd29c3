package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tcpboot/tcpboot/pki/registry"
)

// issueTime is how long a board may wait for its certificate before somebody should
// know: whoever issues by hand does so within days.
const issueTime = 7 * 24 * time.Hour

// lookAtRenewals tells of boards that asked for a certificate and have no answer.
func lookAtRenewals(s *session, st *siteStatus) (err error) {
	visits, err := registry.ReadVisits(s.ctx(), s.visits())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, visits.Close()) }()
	var waiting sample
	first := st.limits.now
	for r, err := range visits.Renewals(s.ctx()) {
		if err != nil {
			return err
		}
		if r.Certificate != nil {
			continue
		}
		waiting.add(r.MAC.String())
		if r.Asked.Before(first) {
			first = r.Asked
		}
	}
	if waiting.n > 0 {
		st.find(st.limits.now.Sub(first) > issueTime, finding{
			Kind: "renewals", Text: fmt.Sprintf("%d boards wait for a new certificate, the first since %s", waiting.n, day(first)), Hint: "tcpboot issue --watch",
		}.about(waiting))
	}
	return nil
}
