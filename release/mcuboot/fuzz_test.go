package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"reflect"
	"testing"
)

// fuzzTrust holds the keys of the seeds.
func fuzzTrust(f *testing.F) (trust Trust) {
	for _, w := range ways(f) {
		if w.name != "P-384" { // a new one each time
			trust.Keys = append(trust.Keys, w.key.Public())
		}
	}
	for _, w := range wrappings(f, 16) {
		trust.Decrypt = append(trust.Decrypt, w.open)
	}
	return trust
}

// seed adds small images of every kind, and returns them.
func seed(f *testing.F) (images [][]byte) {
	add := func(s Spec, key crypto.Signer) {
		image, err := Sign([]byte("a program"), s, key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(image)
		images = append(images, image)
	}
	for _, w := range ways(f) {
		add(full(w.spec), w.key)
		add(w.spec, w.key)
	}
	for _, w := range wrappings(f, 16) {
		add(Spec{Encryption: &Encryption{To: w.to, KeySize: 16}}, signer(f, "ed25519"))
	}
	slot, err := Slot{Size: 0x400, Sectors: 4}.Fill(images[len(images)-1], true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(slot)
	return images
}

// What Parse accepts can be written again from what it says, to the same bytes.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		im, err := Parse(file)
		if err != nil {
			return
		}
		header := im.Header.append(nil)
		copy(header[28:], file[28:32]) // reserved
		if !bytes.Equal(header, file[:headerSize]) {
			t.Errorf("header: got % x, want % x", header, file[:headerSize])
		}
		content := im.content(im.Payload())
		if want := file[:len(content)]; !bytes.Equal(content, want) {
			t.Error("content is not the start of the file")
		}
		if im.ProtectedSize > 0 {
			again, err := area(protectedMagic, im.Protected)
			if err != nil || !bytes.HasSuffix(content, again) {
				t.Errorf("protected area: got % x, %v", again, err)
			}
		}
		again, err := assemble(im.Header, content, im.Payload(), im.Unprotected)
		if err != nil || !bytes.Equal(again, file[:im.Length]) {
			t.Errorf("written again: got %x, %v, want %x", again, err, file[:im.Length])
		}
		if alone, err := Parse(file[:im.Length]); err != nil || !reflect.DeepEqual(alone.Unprotected, im.Unprotected) {
			t.Errorf("without what follows: %v", err)
		}
		if _, err := Parse(file[:im.Length-1]); err == nil {
			t.Error("accepted with its last byte missing")
		}
	})
}

// No file is accepted but one with a content that was signed.
func FuzzVerify(f *testing.F) {
	trust := fuzzTrust(f)
	signed := map[[32]byte]bool{}
	verified := 0
	for _, image := range seed(f) {
		if r, err := Verify(image, trust); err == nil {
			signed[sha256.Sum256(r.Image.content(r.Payload))] = true
			verified++
		}
	}
	if verified != 19 { // all but two with another key
		f.Fatalf("%d seeds verify", verified)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Verify(file, trust)
		if err == nil && !signed[sha256.Sum256(r.Image.content(r.Payload))] {
			t.Error("accepts a content that nobody signed")
		}
		if r, err := Verify(file, Trust{}); err == nil && (r.SignedBy != nil || !r.Image.has(TLV{hashType(r.Hash), r.Digest}, r.Payload)) {
			t.Errorf("proves too much: %+v", r)
		}
		if trailer, err := ParseTrailer(file); err == nil && !bytes.HasSuffix(file, slotMagicFor(trailer.MaxAlign)) {
			t.Errorf("a trailer without a magic: %+v", trailer)
		}
	})
}
