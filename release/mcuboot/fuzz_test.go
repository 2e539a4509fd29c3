package mcuboot

import (
	"bytes"
	"crypto/sha256"
	"reflect"
	"testing"
)

// seed adds the vectors that are small.
func seed(f *testing.F) {
	m := vectors(f)
	for _, v := range m.Images {
		if b := vector(f, v.File); v.isImage() && len(b) < 8192 {
			f.Add(b)
		}
	}
	for _, v := range m.Negatives {
		f.Add(vector(f, v.File))
	}
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

// No file is accepted but one with a content that the vectors' keys signed.
func FuzzVerify(f *testing.F) {
	seed(f)
	m := vectors(f)
	var trust Trust
	for _, name := range []string{"rsa2048", "rsa3072", "ec256", "ed25519"} {
		trust.Keys = append(trust.Keys, signer(f, name).Public())
	}
	for _, name := range []string{"enc-rsa2048.pem", "enc-ec256.pem", "enc-x25519.pem", "kek128.b64"} {
		trust.Decrypt = append(trust.Decrypt, identity(f, name))
	}
	signed := map[[32]byte]bool{}
	for _, v := range m.Images {
		if !v.isImage() || v.SignKey == "" {
			continue
		}
		r, err := Verify(vector(f, v.File), trust)
		if err != nil {
			f.Fatal(err)
		}
		signed[sha256.Sum256(r.Image.content(r.Payload))] = true
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
