package mcuboot

import (
	"slices"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	good := vector(t, "s08-ec256-seccnt.bin") // payload ends at 0x1589; a protected area of 12 bytes
	put := func(at int, b ...byte) []byte {
		file := slices.Clone(good)
		copy(file[at:], b)
		return file
	}
	const protected, unprotected = 0x1589, 0x1595
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"half a header", good[:31], "header: file of 31 bytes is shorter than 32"},
		{"ESP32 image", put(0, 0xe9), "header at offset 0: magic 0x96f3b8e9, want 0x96f3b83d: not an MCUboot image"},
		{"erased", put(0, 0xff, 0xff, 0xff, 0xff), "header at offset 0: erased flash"},
		{"big-endian", put(0, 0x96, 0xf3, 0xb8, 0x3d), "header at offset 0: big-endian integers are not supported"},
		{"LZMA twice", put(17, 0x06), "header at offset 16: flags LZMA1 LZMA2 exclude each other"},
		{"protected past 4 GiB", put(10, 0xff, 0xff, 0x80, 0xfe, 0xfe, 0xff), "header at offset 12: payload of 4294901376 bytes: the image would end past 4 GiB"},
		{"protected runs on", put(10, 0xff, 0xff), "header at offset 12: payload of 5001 bytes runs past the end"},
		{"no end", good[:unprotected], "unprotected area at offset 0x1595: missing: the file ends before it"},
		{"area of 3 bytes", put(unprotected+2, 3, 0), "unprotected area at offset 0x1595: size 3, and"},
		{"counter of 3 bytes", put(protected+6, 3), "protected area at offset 0x1589: entry 0: SEC_CNT of 3 bytes, want 4"},
		{"wildcard", put(unprotected+4, 0xff, 0xff), "unprotected area at offset 0x1595: entry 0: type 0xffff is a wildcard"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(c.file); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for n := range good {
		if _, err := Parse(good[:n]); err == nil {
			t.Fatalf("its first %d bytes: accepted", n)
		}
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]Version{
		"1": {Major: 1}, "1.2": {Major: 1, Minor: 2}, "0.0.3": {Revision: 3}, "1.2.3+4": {1, 2, 3, 4},
		"255.255.65535+4294967295": {255, 255, 65535, 4294967295},
	} {
		got, err := ParseVersion(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if back, err := ParseVersion(got.String()); err != nil || back != got {
			t.Errorf("%s: printed as %s, %v", text, got, err)
		}
		if got := parseVersion(want.append(nil)); got != want {
			t.Errorf("%s: stored as %v", text, got)
		}
	}
	for text, want := range map[string]string{
		"": "want MAJOR", "1.2.3.4": "want MAJOR", "1+4": "want MAJOR", "01.2": "want MAJOR", "1.2.3+": "want MAJOR", " 1": "want MAJOR", "1\n": "want MAJOR",
		"256": "256 does not fit 8 bits", "1.2.65536": "65536 does not fit 16 bits", "1.2.3+4294967296": "does not fit 32 bits",
	} {
		if _, err := ParseVersion(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if n := (Version{3, 4, 5, 6}).Counter(); n != 0x03040005 {
		t.Errorf("counter: got %#x", n)
	}
}

func TestUUID(t *testing.T) {
	const text = "0637e301-e05d-505b-8267-486f5677de9b"
	vendor := VendorID("acme.example")
	if VendorID(text) != vendor || ClassID(text, UUID{}) != vendor {
		t.Errorf("by name: got %x", vendor)
	}
	for _, s := range []string{strings.ReplaceAll(text, "-", ""), text[1:], text[:35] + "g", "0637e30-1e05d-505b-8267-486f5677de9b"} {
		if VendorID(s) == vendor {
			t.Errorf("%q is taken for a UUID", s)
		}
	}
}

func TestSlot(t *testing.T) {
	for _, c := range []struct {
		name string
		slot Slot
		want int // of the trailer
	}{
		{"as most are", Slot{Align: 8}, 3120},
		{"written by bytes", Slot{}, 432},
		{"large words", Slot{Align: 32}, 12448},
		{"few sectors", Slot{Align: 8, Sectors: 8}, 240},
		{"small words, large elsewhere", Slot{Align: 4, MaxAlign: 32}, 1696},
		{"overwrite", Slot{Align: 8, OverwriteOnly: true}, 32},
		{"overwrite, large words", Slot{Align: 32, OverwriteOnly: true}, 96},
		{"encrypted", Slot{Align: 8, KeySpace: 16}, 3152},
		{"with the wrapped key", Slot{Align: 8, KeySpace: 113}, 3360},
	} {
		c.slot.Size = 0x4000
		if got := c.slot.TrailerSize(); got != c.want {
			t.Errorf("%s: trailer of %d bytes, want %d", c.name, got, c.want)
		}
		if err := c.slot.Fits(0x4000 - c.want); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := c.slot.Fits(0x4001 - c.want); err == nil || !strings.HasSuffix(err.Error(), "do not fit the slot of 16384") {
			t.Errorf("%s: a byte too many: got %v", c.name, err)
		}
	}
	for _, c := range []struct {
		slot Slot
		want string
	}{
		{Slot{}, "slot of 0 bytes"},
		{Slot{Size: 0x4000, Align: 3}, "alignment 3: want 1, 2, 4, 8, 16 or 32"},
		{Slot{Size: 0x4000, MaxAlign: 4}, "maximum alignment 4: want 8, 16 or 32"},
		{Slot{Size: 0x4000, Align: 16, MaxAlign: 8}, "maximum alignment 8 is below the alignment, 16"},
		{Slot{Size: 0x4000, Sectors: -1}, "-1 sectors in a slot of 16384 bytes"},
		{Slot{Size: 0x4000, Sectors: 1 << 60}, "1152921504606846976 sectors"},
	} {
		if _, err := c.slot.Fill(nil, true); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.slot, err, c.want)
		}
	}
	zero, err := Slot{Size: 0x4000, ErasedZero: true}.Fill([]byte{1}, true)
	if err != nil || zero[1] != 0 || zero[len(zero)-23] != 0 {
		t.Errorf("erased to zero: %v", err)
	}
	if trailer, err := ParseTrailer(zero); err != nil || trailer != (Trailer{8, "set", "unset"}) {
		t.Errorf("erased to zero: got %+v, %v", trailer, err)
	}
	if _, err := ParseTrailer(slotMagic); err != errNoTrailer {
		t.Errorf("a magic alone: got %v", err)
	}
	bad, _ := Slot{Size: 0x4000}.Fill(nil, true)
	bad[len(bad)-24] = 2
	if trailer, err := ParseTrailer(bad); err != nil || trailer.ImageOK != "bad" {
		t.Errorf("a bad flag: got %+v, %v", trailer, err)
	}
}
