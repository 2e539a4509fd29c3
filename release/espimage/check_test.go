package espimage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// sealed returns file with its checksum and hash made good.
func sealed(file []byte) []byte {
	var im Image
	end, err := im.parseSegments(file, int(file[1]))
	if err != nil {
		panic(err)
	}
	return appendEnd(slices.Clone(file[:end]))
}

// with returns file with bytes written at offset, sealed.
func with(file []byte, offset int, b ...byte) []byte {
	file = slices.Clone(file)
	copy(file[offset:], b)
	return sealed(file)
}

func TestParseRefuses(t *testing.T) {
	good := standIn("esp32c3")
	put := func(offset int, b ...byte) []byte {
		file := slices.Clone(good)
		copy(file[offset:], b)
		return file
	}
	second := headerSize + segmentHeader + int(le.Uint32(good[28:])) // offset of segment 1
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "header: file of 0 bytes is shorter than 24"},
		{"half a header", good[:23], "header: file of 23 bytes is shorter than 24"},
		{"magic", put(0, 0x7f), "header at offset 0: magic 0x7f, want 0xe9"},
		{"no segment", put(1, 0), "header at offset 1: 0 segments"},
		{"17 segments", put(1, 17), "header at offset 1: 17 segments, want 1 to 16"},
		{"unknown chip", put(12, 0x34, 0x12), "header at offset 12: unknown chip id 0x1234"},
		{"no chip", put(12, 0xff, 0xff), "header at offset 12: unknown chip id 0xffff"},
		{"hash flag", put(23, 2), "header at offset 23: hash flag 2, want 0 or 1"},
		{"odd length", put(28, 0x21), "segment 0 at offset 0x18: length 4897 is not a multiple of 4"},
		{"huge length", put(28, 0xfc, 0xff, 0xff, 0xff), "segment 0 at offset 0x18: length 4294967292 is not below 16777216"},
		{"long segment", put(second+4, 0, 0, 1), fmt.Sprintf("segment 1 at offset %#x: length 65536 runs past the end of the image", second)},
		{"a segment too many", put(1, 3), "segment 2 at offset"},
		{"cut in a segment header", good[:second+4], fmt.Sprintf("segment 1 at offset %#x: header runs past the end", second)},
		{"cut before the checksum", good[:len(good)-33], fmt.Sprintf("checksum at offset %#x: past the end", len(good)-33)},
		{"cut in the hash", good[:len(good)-1], fmt.Sprintf("hash at offset %#x: past the end", len(good)-32)},
		{"data changed", changed(good, 0x200, 1), "checksum at offset"},
		{"checksum changed", changed(good, len(good)-33, 1), "checksum at offset"},
		{"entry changed", changed(good, 4, 1), "hash at offset"},
		{"fill changed", changed(good, len(good)-34, 1), "hash at offset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestCheckRelease(t *testing.T) {
	good := standIn("esp32c3")
	s := align(len(good))
	end := func(b ...byte) []byte { return append(slices.Clone(good), b...) }
	unhashed := with(good, hashFlagOffset, 0)
	bootloader := with(good, 32, 80, 0, 0, 0)
	for _, c := range []struct {
		name string
		file []byte
		want string // of the error; empty: none
	}{
		{"as built", good, ""},
		{"some padding", end(0xff, 0xff), ""},
		{"padding to 4 KiB", fill(good, s), ""},
		{"no limit above", with(good, 15, 3, 0, 0xff, 0xff), ""},
		{"no limit above, zero", with(good, 15, 3, 0, 0, 0), ""},
		{"small pages", with(good, 212, 13), ""},
		{"pages not said", with(good, 212, 0), ""},
		{"no hash", unhashed[:len(unhashed)-32], "header at offset 23: no SHA-256"},
		{"bootloader", bootloader, "descriptor at offset 32: there is none"},
		{"short first segment", sealed(shortened(good)), "descriptor at offset 32: there is none"},
		{"revisions", with(good, 15, 44, 1, 43, 1), "header at offset 15: minimum revision 3.0 is above the maximum 2.99"},
		{"escape in the version", with(good, 48, 0x1b), "descriptor at offset 32: unprintable"},
		{"bad UTF-8 in the project", with(good, 80, 0xff), "descriptor at offset 32: unprintable"},
		{"page size", with(good, 212, 31), "descriptor at offset 212: MMU page of 2^31"},
		{"not mappable", with(good, 24, 0x24), "segment 0 at offset 0x18: cannot be mapped to 0x3c000024 in pages of 64 KiB"},
		{"one byte behind", end(0), fmt.Sprintf("offset %#x: 1 bytes follow the image", len(good))},
		{"text in the padding", end(0xff, 'x'), "follow the image"},
		{"a sector of padding", fill(good, s+sectorSize), "follow the image"},
		{"another image behind", end(good...), "follow the image"},
		{"V1", end(make([]byte, sizeV1)...), "already signed (Secure Boot V1)"},
		{"V2, even damaged", append(fill(good, s), blockMagic), "already signed (Secure Boot V2)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := CheckRelease(c.file)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// shortened returns the header of file with one segment of 252 bytes.
func shortened(file []byte) []byte {
	b := slices.Clone(file[:headerSize+segmentHeader+252])
	b[1] = 1
	le.PutUint32(b[28:], 252)
	return b
}

func TestBuild(t *testing.T) {
	for _, name := range fleet.ChipNames() {
		for _, size := range []int{0, MinSize, MinSize + 1, 5000, 200000} {
			spec := Spec{
				Chip: fleet.Chip(name), MinRevision: 100, MaxRevision: 199, SecureVersion: 7, Size: size,
				Project: "door", Version: strings.Repeat("v", 40), IDF: "v5.5.5",
			}
			file := Build(spec)
			im, err := CheckRelease(file)
			if err != nil {
				t.Errorf("%s, %d bytes: %v", name, size, err)
				continue
			}
			d := im.Descriptor
			if im.Chip != spec.Chip || im.MinRevision != 100 || im.MaxRevision != 199 || d.SecureVersion != 7 ||
				d.Project != "door" || d.Version != spec.Version[:31] || d.IDF != "v5.5.5" {
				t.Errorf("%s, %d bytes: got %+v", name, size, im)
			}
			if want := max(MinSize, (size+15)&^15); len(file) != want || im.Length != want {
				t.Errorf("%s: got %d bytes, want %d", name, len(file), want)
			}
			if !slices.Equal(Build(spec), file) {
				t.Errorf("%s: built twice, different bytes", name)
			}
		}
	}
}
