package nvs

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
)

// Whatever Parse finds, in sound images and in damaged ones, Build writes and
// Parse finds again.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"nvs/device.bin", "nvs/device-enc.bin", "nvs/multipage.bin", "nvs/edges.bin", "negative/nvs-device.flip-port.bin"} {
		f.Add(vector(f, name), true)
		f.Add(vector(f, name), false)
	}
	f.Add(bytes.Repeat([]byte{0xff}, pageSize), false)
	f.Fuzz(func(t *testing.T, image []byte, sealed bool) {
		image = slices.Clone(image)
		if sealed { // no mutation hits a checksum
			reseal(image)
		}
		before := slices.Clone(image)
		entries, err := Parse(image)
		if err != nil && !errors.As(err, new(*DamageError)) {
			if entries != nil {
				t.Error("entries with an error")
			}
			return
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
	for _, name := range []string{"nvs/device.csv", "nvs/multipage.csv", "nvs/edges.csv"} {
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
	f.Add(vector(f, "nvs/nvs-keys-a.bin"))
	f.Add(vector(f, "nvs/nvs-keys-hmac-a.bin"))
	f.Add(Keys{}.Partition())
	plain := vector(f, "nvs/device.bin")
	f.Fuzz(func(t *testing.T, partition []byte) {
		partition = slices.Clone(partition)
		if len(partition) >= 68 { // no mutation hits the checksum
			le.PutUint32(partition[64:], checksum(partition[:64]))
		}
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
