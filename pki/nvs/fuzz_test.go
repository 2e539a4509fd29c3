package nvs

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
)

// patched applies runs of offset (2), length (1), bytes to an image. A fuzzer
// that is given whole images spends its time on making them shorter.
func patched(image, runs []byte) []byte {
	image = slices.Clone(image)
	for len(runs) > 3 {
		at, n := int(le.Uint16(runs))%len(image), min(int(runs[2]), len(runs)-3)
		copy(image[at:], runs[3:3+n])
		runs = runs[3+n:]
	}
	return image
}

// Whatever Parse finds, in sound images and in damaged ones, Build writes and
// Parse finds again.
func FuzzParse(f *testing.F) {
	images := [][]byte{sample(f)}
	for _, name := range []string{"nvs/device.bin", "nvs/device-enc.bin", "nvs/edges.bin", "negative/nvs-device.flip-port.bin"} {
		images = append(images, vector(f, name))
	}
	for i := range images {
		f.Add(uint8(i), []byte{}, false)
		f.Add(uint8(i), []byte("\x42\x10\x01\x02\x20\x00\x04\xaa\x0a\xaf\xaf\x78\x00\x02\x05\x00"), true)
	}
	f.Fuzz(func(t *testing.T, base uint8, runs []byte, sealed bool) {
		image := patched(images[int(base)%len(images)], runs)
		if sealed { // no mutation hits a checksum
			reseal(image)
		}
		before := slices.Clone(image)
		entries, err := Parse(image)
		if err != nil && !errors.As(err, new(*DamageError)) {
			t.Fatal(err) // the size is right, so there is always something to say of the content
		}
		if !bytes.Equal(image, before) {
			t.Error("the image was changed")
		}
		built, err := Build(2*len(image)+3*pageSize, entries)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(built); err != nil || !reflect.DeepEqual(back, entries) {
			t.Errorf("got %s, %v\nwant %s", reveal(back), err, reveal(entries))
		}
	})
}

// What ParseCSV accepts fits a partition, unless it is too much or names a key
// twice, and reads back.
func FuzzParseCSV(f *testing.F) {
	for _, name := range []string{"nvs/device.csv", "nvs/multipage.csv"} {
		f.Add(vector(f, name))
	}
	f.Add([]byte(header + "n,namespace\nk,file,base64,f\n\"k\n\",data,string,\"a\"\"b\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := ParseCSV(text, func(path string) ([]byte, error) { return []byte(path), nil })
		if err != nil {
			return
		}
		image, err := Build(0x40000, entries)
		if err != nil {
			return
		}
		if back, err := Parse(image); err != nil || !reflect.DeepEqual(back, entries) {
			t.Errorf("got %s, %v\nwant %s", reveal(back), err, reveal(entries))
		}
	})
}

// What ParseKeys accepts is written again to the same bytes, and undoes what it
// does.
func FuzzParseKeys(f *testing.F) {
	f.Add(vector(f, "nvs/nvs-keys-a.bin")[:68])
	f.Add(vector(f, "nvs/nvs-keys-hmac-a.bin")[:68])
	f.Add(Keys{}.Partition()[:68])
	plain := vector(f, "nvs/device.bin")
	f.Fuzz(func(t *testing.T, partition []byte) {
		blanks := bytes.Repeat([]byte{0xff}, max(0, pageSize-len(partition)))
		partition = append(slices.Clone(partition), blanks...)
		le.PutUint32(partition[64:], checksum(partition[:64])) // no mutation hits it
		k, err := ParseKeys(partition)
		if err != nil {
			return
		}
		if !bytes.Equal(k.Partition(), partition) {
			t.Error("written differently")
		}
		secret, err := Encrypt(plain, k)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decrypt(secret, k); err != nil || !bytes.Equal(back, plain) {
			t.Errorf("decrypts to other bytes, %v", err)
		}
	})
}
