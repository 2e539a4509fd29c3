package nvs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// The vendor's generator derives the same keys from the same HMAC key.
func TestDeriveKeys(t *testing.T) {
	got := DeriveKeys(HMACKey(vector(t, "nvs/hmac-a.bin")))
	if !got.Equal(vectorKeys(t, "nvs/nvs-keys-hmac-a.bin")) {
		t.Error("other keys than the vendor's")
	}
	if got.Equal(vectorKeys(t, "nvs/nvs-keys-a.bin")) {
		t.Error("all keys are equal")
	}
}

func TestKeysRoundTrip(t *testing.T) {
	for _, name := range []string{"nvs/nvs-keys-a.bin", "nvs/nvs-keys-hmac-a.bin"} {
		if got := vectorKeys(t, name).Partition(); !bytes.Equal(got, vector(t, name)) {
			t.Errorf("%s: written differently", name)
		}
	}
	k := GenerateKeys()
	if back, err := ParseKeys(k.Partition()); err != nil || !back.Equal(k) {
		t.Errorf("generated keys read back differently, %v", err)
	}
	if k.Equal(GenerateKeys()) {
		t.Error("the same keys twice")
	}
}

func TestParseKeysRefuses(t *testing.T) {
	good := vector(t, "nvs/nvs-keys-a.bin")
	with := func(do func(b []byte)) []byte {
		b := slices.Clone(good)
		do(b)
		return b
	}
	var same Keys
	copy(same.key[:], bytes.Repeat([]byte("32 bytes, twice the same. Yes: 2"), 2))
	for _, c := range []struct {
		name      string
		partition []byte
		want      string
	}{
		{"nothing", nil, "key partition of 0 bytes: want 4096"},
		{"the keys alone", good[:68], "key partition of 68 bytes: want 4096"},
		{"one byte more", append(slices.Clone(good), 0xff), "key partition of 4097 bytes: want 4096"},
		{"blank", bytes.Repeat([]byte{0xff}, 4096), "key partition: blank"},
		{"zeroes", make([]byte, 4096), "key partition: checksum is wrong"},
		{"data key", with(func(b []byte) { b[0] ^= 1 }), "key partition: checksum is wrong"},
		{"tweak key", with(func(b []byte) { b[63] ^= 1 }), "key partition: checksum is wrong"},
		{"checksum", with(func(b []byte) { b[64] ^= 1 }), "key partition: checksum is wrong"},
		{"more behind", with(func(b []byte) { b[4095] = 0 }), "key partition: more behind the keys"},
		{"no keys", Keys{}.Partition(), "key partition: data key and tweak key are the same"},
		{"one key twice", same.Partition(), "key partition: data key and tweak key are the same"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := ParseKeys(c.partition)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if !k.Equal(Keys{}) {
				t.Error("returned keys all the same")
			}
		})
	}
}

func TestEncryptRefuses(t *testing.T) {
	k := vectorKeys(t, "nvs/nvs-keys-a.bin")
	for _, c := range []struct {
		name  string
		image []byte
		keys  Keys
		want  string
	}{
		{"no keys", vector(t, "nvs/device.bin"), Keys{}, "data key and tweak key are the same"},
		{"encrypted already", vector(t, "nvs/device-enc.bin"), k, "encrypt: page 0 entries 0 to 19: checksum is wrong"},
		{"damaged", vector(t, "negative/nvs-device.flip-port.bin"), k, "encrypt: page 0 entry 3: checksum is wrong"},
		{"half a page", make([]byte, 2048), k, "encrypt: partition of 2048 bytes: want a multiple of 4096, up to 16777216"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if image, err := Encrypt(c.image, c.keys); err == nil || err.Error() != c.want || image != nil {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := Decrypt(make([]byte, 2048), k); err == nil {
		t.Error("decrypted half a page")
	}
}

// What was erased is still there, and must not stay in the clear.
func TestEncryptHidesErasedEntries(t *testing.T) {
	image, err := Build(0x3000, []Entry{{"n", "password", String("hunter2")}})
	if err != nil {
		t.Fatal(err)
	}
	image[32] &^= 0x3c // entries 1 and 2, the string
	if got, err := Parse(image); err != nil || len(got) > 0 {
		t.Fatalf("%v, %v", got, err)
	}
	before := slices.Clone(image)
	secret, err := Encrypt(image, GenerateKeys())
	if err != nil || bytes.Contains(secret, []byte("hunter2")) || bytes.Contains(secret, []byte("password")) {
		t.Errorf("an erased string stays readable, %v", err)
	}
	if !bytes.Equal(image, before) {
		t.Error("the plain image was changed")
	}
}

// With another key nothing is found, and nothing is said of what was read.
func TestDecryptWithOtherKeys(t *testing.T) {
	plain, err := Decrypt(vector(t, "nvs/device-enc.bin"), GenerateKeys())
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := Parse(plain); len(entries) > 0 || !errors.As(err, new(*DamageError)) {
		t.Errorf("got %v, %v", entries, err)
	}
}

func TestNothingSecretPrints(t *testing.T) {
	const secret = "hunter2"
	var h HMACKey
	copy(h[:], secret)
	var k Keys
	copy(k.key[:], secret)
	e := Entry{"n", "k", String(secret)}
	for _, v := range []any{String(secret), Blob(secret), k, &k, h, &h, e, &e} {
		checkHidden(t, v, secret, logged(v, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }))
		checkHidden(t, v, secret, logged(v, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }))
	}
	for _, v := range []any{
		String(secret), Blob(secret), k, &k, h, e, &e,
		[]Keys{k}, []HMACKey{h}, []Entry{e}, map[string]Value{"k": Blob(secret)}, struct{ V Value }{String(secret)},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			checkHidden(t, v, secret, fmt.Sprintf(verb, v))
		}
	}
}

func logged(v any, handler func(io.Writer) slog.Handler) string {
	var log strings.Builder
	slog.New(handler(&log)).Info("", "v", v)
	return log.String()
}

// checkHidden looks for the secret in the forms in which Go prints bytes.
func checkHidden(t *testing.T, v any, secret, got string) {
	t.Helper()
	for _, leak := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), "104 117 110", "104,117", "0x68, 0x75", "aHVudGVy"} {
		if strings.Contains(got, leak) {
			t.Errorf("%T printed %s", v, got)
		}
	}
}

func TestEntriesPrintTheirNames(t *testing.T) {
	e := Entry{"n", "k", String("hunter2")}
	if got := fmt.Sprintln(e, Entry{Namespace: "n", Key: "k"}, Entry{"n", "k", Blob{}}, e.Value, U16(8123)); got != "n/k string n/k without a value n/k blob string of 7 bytes 8123\n" {
		t.Errorf("got %s", got)
	}
}
