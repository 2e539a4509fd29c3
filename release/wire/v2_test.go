package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

var hello = Hello{Chip: "esp32c3", Loader: "2.0.1", Channel: "stable", Epoch: 5,
	Counter: fleet.Counter{Generation: 1, Count: 12}, Sequence: 7, Version: "1.4.0"}

func TestHello(t *testing.T) {
	fresh := hello
	fresh.Version, fresh.Sequence, fresh.Counter = "", 0, fleet.Counter{}
	application := hello
	application.Updates = true
	for _, h := range []Hello{hello, fresh, application} {
		got, err := ParseHello(h.Query())
		if err != nil || got != h {
			t.Errorf("%s: got %+v, %v", h.Query(), got, err)
		}
	}
	if got, err := ParseHello(hello.Query() + "&battery=low"); err != nil || got != hello {
		t.Errorf("a newer loader: got %+v, %v", got, err)
	}
}

func TestHelloRefused(t *testing.T) {
	good := hello.Query()
	for _, c := range []struct{ old, new, want string }{
		{"chip=esp32c3", "chip=stm32", "query: chip: "},
		{"chip=esp32c3&", "", "query: chip: is there 0 times"},
		{"chip=esp32c3", "chip=esp32c3&chip=esp32", "query: chip: is there 2 times"},
		{"loader=2.0.1", "loader=2.0", "query: loader: "},
		{"loader=2.0.1", "loader=2.0.65536", "query: loader: "},
		{"loader=2.0.1", "loader=2.0.01", "query: loader: "},
		{"channel=stable", "channel=..%2Fstable", "query: channel: "},
		{"channel=stable", "channel=st%0Aable", "query: channel: "},
		{"epoch=5", "epoch=0", "query: epoch: "},
		{"epoch=5", "epoch=-5", "query: epoch: "},
		{"epoch=5", "epoch=18446744073709551616", "query: epoch: "},
		{"counter=1.12", "counter=112", "query: counter: "},
		{"counter=1.12", "counter=1.4294967296", "query: counter: "},
		{"sequence=7", "sequence=7.0", "query: sequence: "},
		{"version=1.4.0", "version=", "query: version: "},
		{"version=1.4.0", "kind=bootloader", "query: kind: "},
		{"version=1.4.0", "kind=", "query: kind: "},
		{"version=1.4.0", "kind=loader&kind=loader", "query: kind: is there 2 times"},
		{"version=1.4.0", "version=%", "query: invalid URL escape"},
		{"version=1.4.0", "version=1.4.0&x=" + strings.Repeat("x", 512), "query: "},
	} {
		query := strings.Replace(good, c.old, c.new, 1)
		if _, err := ParseHello(query); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s…", query, err, c.want)
		}
	}
}

// A message1 and a message of package cose, as far as this package looks at them.
var (
	aManifest = []byte{0xd2, 0x84, 0x41, 1, 0xa0, 0x41, 2, 0x41, 3}
	aDocument = []byte{0xd8, 0x62, 0x84, 0x41, 1, 0xa0, 0x41, 2, 0x80}
)

func TestBoot(t *testing.T) {
	for _, b := range []Boot{
		{},
		{Manifest: aManifest},
		{Site: [][]byte{aDocument}},
		{Site: slices.Repeat([][]byte{aDocument}, MaxDocuments), Manifest: aManifest},
	} {
		got, err := ParseBoot(b.Bytes())
		if err != nil || !bytes.Equal(got.Manifest, b.Manifest) || !slices.EqualFunc(got.Site, b.Site, bytes.Equal) {
			t.Errorf("%x: got %+v, %v", b.Bytes(), got, err)
		}
	}
}

func TestBootRefused(t *testing.T) {
	for name, body := range map[string][]byte{
		"cut off":                  aManifest[:len(aManifest)-1],
		"two manifests":            slices.Concat(aManifest, aManifest),
		"a document at the end":    slices.Concat(aManifest, aDocument),
		"neither":                  {0x01},
		"another tag":              {0xd8, 0x63, 0x80},
		"the tag written longer":   {0xd9, 0x00, 0x62, 0x80},
		"too many":                 bytes.Repeat(aDocument, MaxDocuments+1),
		"too long":                 make([]byte, BootLimit+1),
		"rubbish behind the first": slices.Concat(aDocument, []byte{0xff}),
	} {
		if got, err := ParseBoot(body); err == nil {
			t.Errorf("%s: taken as %+v", name, got)
		}
	}
}

func TestReport(t *testing.T) {
	manifest := fleet.Sum([]byte("manifest"))
	for _, r := range []fleet.Report{
		{Manifest: manifest, Outcome: fleet.Activated},
		{Manifest: manifest, Outcome: fleet.Confirmed},
		{Manifest: manifest, Outcome: fleet.Failed, Cause: fleet.Refused},
		{Manifest: manifest, Outcome: fleet.Failed, Cause: fleet.Component},
	} {
		body, err := ReportBytes(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseReport(body); err != nil || got != r {
			t.Errorf("%x: got %+v, %v", body, got, err)
		}
	}
}

// The specification, byte for byte.
func TestReportExample(t *testing.T) {
	body, err := ReportBytes(fleet.Report{Manifest: fleet.Digest{1}, Outcome: fleet.Failed, Cause: fleet.Flash})
	want := slices.Concat([]byte{0xa3, 1, 0x58, 32, 1}, make([]byte, 31), []byte{2, 3, 3, 4})
	if err != nil || !bytes.Equal(body, want) {
		t.Errorf("got %x, %v; want %x", body, err, want)
	}
}

func TestReportRefused(t *testing.T) {
	digest := slices.Concat([]byte{1, 0x58, 32, 1}, make([]byte, 31))
	report := func(pairs byte, rest ...byte) []byte { return slices.Concat([]byte{0xa0 + pairs}, digest, rest) }
	if _, err := ParseReport(report(2, 2, 1)); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for name, body := range map[string][]byte{
		"empty":                     {},
		"no outcome":                report(1),
		"no such outcome":           report(2, 2, 4),
		"no such cause":             report(3, 2, 3, 3, 8),
		"failed without a cause":    report(2, 2, 3),
		"a cause without a failure": report(3, 2, 1, 3, 1),
		"cause zero":                report(3, 2, 3, 3, 0),
		"unknown key":               report(3, 2, 1, 4, 1),
		"an outcome written longer": report(2, 2, 0x18, 1),
		"something behind":          report(2, 2, 1, 0),
		"a short digest":            {0xa2, 1, 0x41, 1, 2, 1},
		"too long":                  make([]byte, ReportLimit+1),
	} {
		if got, err := ParseReport(body); err == nil {
			t.Errorf("%s: taken as %+v", name, got)
		}
	}
}

func FuzzV2(f *testing.F) {
	f.Add([]byte(hello.Query()))
	f.Add(Boot{Site: [][]byte{aDocument}, Manifest: aManifest}.Bytes())
	body, err := ReportBytes(fleet.Report{Manifest: fleet.Digest{1}, Outcome: fleet.Failed, Cause: fleet.Flash})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := ParseHello(string(data)); err == nil {
			if again, err := ParseHello(h.Query()); err != nil || again != h {
				t.Errorf("hello %q: then %+v, %v", data, again, err)
			}
		}
		if b, err := ParseBoot(data); err == nil && !bytes.Equal(b.Bytes(), data) {
			t.Errorf("boot %x: then %x", data, b.Bytes())
		}
		if r, err := ParseReport(data); err == nil {
			if again, err := ReportBytes(r); err != nil || !bytes.Equal(again, data) {
				t.Errorf("report %x: then %x, %v", data, again, err)
			}
		}
	})
}
