package fleet

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseMAC(t *testing.T) {
	want := MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 0x02}
	for name, s := range map[string]string{
		"plain": "246f28aa1002", "upper": "246F28AA1002",
		"colons": "24:6f:28:aa:10:02", "hyphens": "24-6F-28-aa-10-02",
	} {
		if got, err := ParseMAC(s); err != nil || got != want {
			t.Errorf("%s: ParseMAC(%q) = %v, %v; want %v", name, s, got, err, want)
		}
	}
}

func TestParseMACRefuses(t *testing.T) {
	for name, row := range map[string]struct{ in, why string }{
		"empty":          {"", "twelve hex digits"},
		"short":          {"246f28aa10", "twelve hex digits"},
		"long":           {"246f28aa100200", "twelve hex digits"},
		"mixed":          {"24:6f-28:aa:10:02", "twelve hex digits"},
		"some separated": {"24:6f:28aa:10:0 2", "twelve hex digits"},
		"dots":           {"246f.28aa.1002", "twelve hex digits"},
		"not hex":        {"246f28aa100g", "hexadecimal"},
		"zero":           {"00:00:00:00:00:00", "all zero"},
		"broadcast":      {"ffffffffffff", "multicast"},
		"multicast":      {"01005e000001", "multicast"},
		"blank around":   {" 246f28aa1002", "twelve hex digits"},
		"newline":        {"246f28aa1002\n", "twelve hex digits"},
	} {
		if _, err := ParseMAC(row.in); err == nil || !strings.Contains(err.Error(), row.why) {
			t.Errorf("%s: ParseMAC(%q): got %v, want an error with %q", name, row.in, err, row.why)
		}
	}
}

// What parses prints as one form, and that form parses to the same MAC.
func FuzzParseMAC(f *testing.F) {
	for _, s := range []string{"246f28aa1002", "24:6F:28:aa:10:02", "24-6f-28-aa-10-02", "", "zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMAC(s)
		if err != nil {
			return
		}
		if again, err := ParseMAC(m.String()); err != nil || again != m {
			t.Errorf("ParseMAC(%q) prints %q, which reads back as %v, %v", s, m, again, err)
		}
	})
}

func TestEAP(t *testing.T) {
	e, err := ParseEAP("ttls, tls")
	if err != nil || e.String() != "tls,ttls" || !e.UsesPassword() || e.Has(PEAP) {
		t.Errorf("ParseEAP: got %v, %v", e, err)
	}
	for _, s := range []string{"", "tls,", "leap", "TLS"} {
		if got, err := ParseEAP(s); err == nil {
			t.Errorf("ParseEAP(%q) = %v, want an error", s, got)
		}
	}
}

func TestParseVLAN(t *testing.T) {
	for in, want := range map[string]VLAN{"": 0, "1": 1, "4094": 4094} {
		if got, err := ParseVLAN(in); err != nil || got != want {
			t.Errorf("ParseVLAN(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"0", "4095", "-1", "+7", "007", "ten", "1 ", "99999"} {
		if got, err := ParseVLAN(in); err == nil {
			t.Errorf("ParseVLAN(%q) = %d, want an error", in, got)
		}
	}
}

func TestChip(t *testing.T) {
	for _, name := range ChipNames() {
		c, err := ParseChip(strings.ToUpper(name[:5]) + name[5:])
		if err != nil {
			t.Errorf("ParseChip(%q): %v", name, err)
			continue
		}
		id, ok := c.ID()
		if back, known := ChipByID(id); !ok || !known || back != c {
			t.Errorf("chip %s: id %#x leads back to %s", c, id, back)
		}
	}
	if c, err := ParseChip("ESP32-C3"); err != nil || c != "esp32c3" {
		t.Errorf("ParseChip(ESP32-C3) = %q, %v", c, err)
	}
	if _, err := ParseChip("esp8266"); err == nil {
		t.Error("ParseChip(esp8266) is accepted")
	}
}

func TestDigestAndSerial(t *testing.T) {
	d := Sum([]byte("x"))
	if back, err := ParseDigest(d.String()); err != nil || back != d {
		t.Errorf("ParseDigest(%v) = %v, %v", d, back, err)
	}
	for _, s := range []string{"", "sha256:", d.Hex(), "sha512:" + d.Hex(), "sha256:" + strings.ToUpper(d.Hex())} {
		if _, err := ParseDigest(s); err == nil {
			t.Errorf("ParseDigest(%q) is accepted", s)
		}
	}
	n := Serial{1, 2, 3}
	if back, err := ParseSerial(n.String()); err != nil || back != n {
		t.Errorf("ParseSerial(%v) = %v, %v", n, back, err)
	}
	if _, err := ParseSerial(strings.Repeat("0", 32)); err == nil {
		t.Error("a serial with a leading zero byte is accepted")
	}
}

// An NT hash is a login: no ordinary way of printing a device may show it.
func TestNTHashIsNeverPrinted(t *testing.T) {
	h := NTHash{0xde, 0xad, 0xbe, 0xef}
	d := Device{MAC: MAC{2}, Admissions: []Admission{{NTHash: h}}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "hash", h, "device", d)
	js, _ := json.Marshal(d)
	for _, out := range []string{fmt.Sprint(h, d), fmt.Sprintf("%v %+v %#v %s %x", h, d, d, h, h), log.String(), string(js)} {
		if strings.Contains(strings.ToLower(out), "dead") || strings.Contains(out, "222") {
			t.Errorf("the hash shows in %q", out)
		}
	}
}

func TestNames(t *testing.T) {
	for _, s := range []string{"esp32", "door-v2", "1.4.0-rc1", "a"} {
		if err := CheckName("hardware", s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "..", "-a", ".a", "a/b", "a b", "é", "a\n", "a%{x}", strings.Repeat("a", 64)} {
		if err := CheckName("hardware", s); err == nil {
			t.Errorf("CheckName(%q) is accepted", s)
		}
	}
	for _, s := range []string{"", "Tür 3, left", `quote " and \`} {
		if err := CheckLabel(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"a\nb", "a\x00", "\x1b[31m", strings.Repeat("a", 65), "\xff"} {
		if err := CheckLabel(s); err == nil {
			t.Errorf("CheckLabel(%q) is accepted", s)
		}
	}
}

func TestCounter(t *testing.T) {
	if (Counter{1, 0}).Compare(Counter{0, 900}) <= 0 {
		t.Error("a higher generation must beat any count")
	}
	if (Counter{1, 2}).Compare(Counter{1, 2}) != 0 || (Counter{1, 2}).Compare(Counter{1, 3}) >= 0 {
		t.Error("counts of one generation compare as numbers")
	}
}
