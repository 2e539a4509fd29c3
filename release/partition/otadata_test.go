package partition

import "testing"

func rec(sequence uint32, s OTAState) OTARecord {
	return OTARecord{Sequence: sequence, State: s, Intact: true}
}

func TestBoot(t *testing.T) {
	empty := OTARecord{Sequence: noSequence, State: Undefined}
	torn := OTARecord{Sequence: 7, State: Valid} // its CRC is wrong
	for _, c := range []struct {
		name     string
		records  OTARecords
		apps     string
		rollback bool
		want     string // empty: an error
	}{
		{"erased", OTARecords{empty, empty}, "factory+ota_0", false, "factory"},
		{"erased, no factory", OTARecords{empty, empty}, "ota_0+ota_1", false, "ota_0"},
		{"erased, only test", OTARecords{empty, empty}, "test", false, "test"},
		{"only factory", OTARecords{rec(1, Valid), empty}, "factory", false, "factory"},
		{"first slot", OTARecords{rec(1, Undefined), empty}, "factory+ota_0+ota_1", false, "ota_0"},
		{"second slot, in the second record", OTARecords{empty, rec(2, Valid)}, "factory+ota_0+ota_1", false, "ota_1"},
		{"the higher decides", OTARecords{rec(9, Valid), rec(8, Valid)}, "ota_0+ota_1", false, "ota_0"},
		{"the higher is invalid", OTARecords{rec(9, Invalid), rec(8, Valid)}, "ota_0+ota_1", false, "ota_1"},
		{"the higher is aborted", OTARecords{rec(8, Valid), rec(9, Aborted)}, "ota_0+ota_1", false, "ota_1"},
		{"the higher is torn", OTARecords{torn, rec(2, Valid)}, "factory+ota_0+ota_1", false, "ota_1"},
		{"one torn, one empty", OTARecords{torn, empty}, "factory+ota_0", false, "factory"},
		{"both torn, no factory", OTARecords{torn, torn}, "ota_0+ota_1", false, "ota_0"},
		{"both invalid", OTARecords{rec(1, Invalid), rec(2, Aborted)}, "factory+ota_0+ota_1", false, "factory"},
		{"unconfirmed, no rollback", OTARecords{rec(1, Valid), rec(2, PendingVerify)}, "factory+ota_0+ota_1", false, "ota_1"},
		{"unconfirmed, rollback", OTARecords{rec(1, Valid), rec(2, PendingVerify)}, "factory+ota_0+ota_1", true, "ota_0"},
		{"unconfirmed, rollback to the loader", OTARecords{rec(1, PendingVerify), empty}, "factory+ota_0", true, "factory"},
		{"new, rollback", OTARecords{rec(1, Valid), rec(2, New)}, "factory+ota_0+ota_1", true, "ota_1"},
		{"sequence 0 counts down from 2^32", OTARecords{rec(0, Valid), empty}, "factory+ota_0+ota_1", false, "ota_1"},
		{"a tie", OTARecords{rec(1, Valid), rec(1, Invalid)}, "factory+ota_0", false, "ota_0"},
		{"slots with a gap", OTARecords{rec(2, Valid), empty}, "ota_0+ota_2", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.records.Boot(tableOf(t, c.apps), c.rollback)
			if got.Name != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %q, %v, want %q", got.Name, err, c.want)
			}
		})
	}
}

func TestBootTables(t *testing.T) {
	r := OTARecords{rec(1, Valid), rec(2, Valid)}
	table := tableOf(t, "factory+ota_0+ota_1")
	if got, err := r.Boot(table[1:], false); err != nil || got.Name != "factory" {
		t.Errorf("without otadata: got %q, %v, want factory", got.Name, err)
	}
	if got, err := r.Boot(table[:1], false); err == nil {
		t.Errorf("without an app: got %q", got.Name)
	}
}

func TestParseOTAData(t *testing.T) {
	got, err := ParseOTAData(vector(t, "otadata/seq4-valid_seq5-new.bin"))
	if want := (OTARecords{rec(4, Valid), rec(5, New)}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := ParseOTAData(ErasedOTAData()[:sector]); err == nil {
		t.Errorf("one sector: got %v", got)
	}
	damaged := vector(t, "otadata/seq4-valid_seq5-new.bin")
	damaged[28] ^= 1
	if got, err := ParseOTAData(damaged); err != nil || got[0].Intact || !got[1].Intact {
		t.Errorf("damaged: got %v, %v, want the first not intact", got, err)
	}
	for state, want := range map[OTAState]string{
		New: "new", PendingVerify: "pending-verify", Valid: "valid", Invalid: "invalid",
		Aborted: "aborted", Undefined: "undefined", 9: "state 9",
	} {
		if got := state.String(); got != want {
			t.Errorf("state: got %s, want %s", got, want)
		}
	}
}
