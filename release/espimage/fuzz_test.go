package espimage

import (
	"crypto/ecdsa"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// seed adds the vectors that are small, and their ends.
func seed(f *testing.F) {
	for _, dir := range []string{"images", "sbv1", "sbv2", "negative"} {
		names, err := filepath.Glob(filepath.Join("testdata", dir, "*.bin"))
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds in %s: %v", dir, err)
		}
		for _, name := range names {
			if b := vector(f, dir+"/"+filepath.Base(name)); len(b) <= 8192 {
				f.Add(b)
			}
		}
	}
	f.Add(Build(Spec{Chip: "esp32c6"}))
}

// What Parse accepts can be written again from what it says, to the same bytes.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		im, err := Parse(file)
		if err != nil { // most likely for its hash, which no mutation hits
			file = resealed(file)
			im, err = Parse(file)
		}
		if err != nil {
			return
		}
		again := rebuild(im, file)
		// The fill before the checksum may be anything that the hash covers.
		end := im.Segments[len(im.Segments)-1].Offset + im.Segments[len(im.Segments)-1].Length
		if len(again) != im.Length || !slices.Equal(again[:end], file[:end]) || !slices.Equal(again[end|15:], file[end|15:im.Length]) {
			t.Errorf("written again: got %x, want %x", again, file[:im.Length])
		}
		if alone, err := Parse(file[:im.Length]); err != nil || !reflect.DeepEqual(alone, im) {
			t.Errorf("without what follows: got %+v, %v, want %+v", alone, err, im)
		}
		if _, err := Parse(file[:im.Length-1]); err == nil {
			t.Error("accepted with its last byte missing")
		}
		if _, err := CheckRelease(file); err == nil && len(file) > align(im.Length) {
			t.Errorf("released with %d bytes behind its %d", len(file)-im.Length, im.Length)
		}
	})
}

// resealed makes checksum and hash of file good, where its segments are.
func resealed(file []byte) []byte {
	im, err := parseHeader(file)
	if err != nil {
		return nil
	}
	end, err := im.parseSegments(file, int(file[1]))
	if err != nil {
		return nil
	}
	sum := im.checksum(file)
	file = append(slices.Clone(file[:end]), make([]byte, end|15-end)...)
	file = append(file, sum)
	if file[hashFlagOffset] == 1 {
		hash := fleet.Sum(file)
		file = append(file, hash[:]...)
	}
	return file
}

// rebuild writes an image from im's fields and the data of its segments.
func rebuild(im *Image, file []byte) []byte {
	b := slices.Clone(file[:headerSize]) // for the fields that Image leaves out
	id, _ := im.Chip.ID()
	b[1], b[hashFlagOffset] = byte(len(im.Segments)), 0
	le.PutUint32(b[4:], im.Entry)
	le.PutUint16(b[12:], id)
	le.PutUint16(b[15:], im.MinRevision)
	le.PutUint16(b[17:], im.MaxRevision)
	for _, s := range im.Segments {
		b = le.AppendUint32(b, s.Address)
		b = le.AppendUint32(b, uint32(s.Length))
		b = append(b, file[s.Offset:s.Offset+s.Length]...)
	}
	b = append(append(b, make([]byte, len(b)|15-len(b))...), im.Checksum)
	if im.Hash != (fleet.Digest{}) {
		b[hashFlagOffset] = 1
		b = append(b, im.Hash[:]...)
	}
	return b
}

// No file is accepted but one that signs what the vectors' keys signed.
func FuzzVerify(f *testing.F) {
	seed(f)
	trust := Trust{AllBlocks: true}
	for _, name := range []string{"rsa3072-a", "rsa3072-b", "p256-a", "p256-b", "p384-a"} {
		trust.Keys = append(trust.Keys, digestOf(f, name))
	}
	v1 := signer(f, "v1-a").Public().(*ecdsa.PublicKey)
	signed := make(map[fleet.Digest]bool)
	for _, want := range vectors(f).Signed {
		signed[fleet.Sum(vector(f, want.Image))] = true
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if r, err := Verify(file, trust); err == nil && !signed[fleet.Sum(file[:r.Image.Length])] {
			t.Error("Verify accepts an image that nobody signed")
		}
		if im, err := VerifyV1(file, v1); err == nil && !signed[fleet.Sum(file[:im.Length])] {
			t.Error("VerifyV1 accepts an image that nobody signed")
		}
	})
}
