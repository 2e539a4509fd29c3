package fleet

import "testing"

func TestReportCheck(t *testing.T) {
	for _, c := range []struct {
		outcome Outcome
		cause   Cause
		good    bool
	}{
		{Activated, "", true},
		{Confirmed, "", true},
		{Failed, Flash, true},
		{Failed, "", false},
		{Failed, "bored", false},
		{Confirmed, Flash, false},
		{"", "", false},
		{"exploded", "", false},
	} {
		if err := (Report{Outcome: c.outcome, Cause: c.cause}).Check(); (err == nil) != c.good {
			t.Errorf("outcome %q, cause %q: %v", c.outcome, c.cause, err)
		}
	}
}
