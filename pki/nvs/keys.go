package nvs

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Keys encrypt one board's partitions. A board has them in one of two places:
//
//   - in a partition of type data, subtype nvs_keys, which flash encryption
//     protects: Partition writes it, ParseKeys reads it;
//   - nowhere: it derives them from an HMAC key in its eFuses: DeriveKeys. The
//     ESP32, C2 and C61 cannot.
//
// The partition is 32 bytes of data key, 32 of tweak key, the checksum of both,
// and ff up to 4096 bytes.
//
// Keys print as nothing. They cannot be compared with ==, which stops at the
// first byte that differs: use Equal. The zero Keys encrypt nothing.
type Keys struct {
	_   [0]func()
	key [64]byte
}

// An HMACKey is what an eFuse block of purpose HMAC_UP holds. Fill it from
// crypto/rand. It prints as nothing.
type HMACKey [32]byte

// GenerateKeys returns new random keys.
func GenerateKeys() (k Keys) {
	rand.Read(k.key[:])
	return k
}

// DeriveKeys returns the keys that a board derives from its HMAC key.
func DeriveKeys(efuse HMACKey) (k Keys) {
	copy(k.key[:32], efuse.sum(0x5a, 0x5a, 0xbe, 0xae))
	copy(k.key[32:], efuse.sum(0xa5, 0xa5, 0xde, 0xce))
	return k
}

// sum is the HMAC-SHA256 of eight times the seed.
func (k HMACKey) sum(seed ...byte) []byte {
	h := hmac.New(sha256.New, k[:])
	h.Write(bytes.Repeat(seed, 8))
	return h.Sum(nil)
}

// ParseKeys reads a key partition of 4096 bytes.
func ParseKeys(partition []byte) (k Keys, err error) {
	switch {
	case len(partition) != pageSize:
		return Keys{}, fmt.Errorf("key partition of %d bytes: want %d", len(partition), pageSize)
	case blank(partition):
		return Keys{}, errors.New("key partition: blank")
	case le.Uint32(partition[len(k.key):]) != checksum(partition[:len(k.key)]):
		return Keys{}, errors.New("key partition: checksum is wrong")
	case !blank(partition[len(k.key)+4:]):
		return Keys{}, errors.New("key partition: more behind the keys")
	}
	copy(k.key[:], partition)
	if err := k.check(); err != nil {
		return Keys{}, fmt.Errorf("key partition: %w", err)
	}
	return k, nil
}

// Partition returns the key partition, 4096 bytes, as secret as k.
func (k Keys) Partition() []byte {
	p := bytes.Repeat([]byte{0xff}, pageSize)
	copy(p, k.key[:])
	le.PutUint32(p[len(k.key):], checksum(k.key[:]))
	return p
}

// Equal compares in constant time.
func (k Keys) Equal(o Keys) bool { return subtle.ConstantTimeCompare(k.key[:], o.key[:]) == 1 }

// check refuses keys with which XTS is weak; the zero Keys are such.
func (k Keys) check() error {
	if subtle.ConstantTimeCompare(k.key[:32], k.key[32:]) == 1 {
		return errors.New("data key and tweak key are the same")
	}
	return nil
}

func (Keys) Format(f fmt.State, _ rune)    { io.WriteString(f, "(secret)") }
func (Keys) LogValue() slog.Value          { return slog.StringValue("(secret)") }
func (HMACKey) Format(f fmt.State, _ rune) { io.WriteString(f, "(secret)") }
func (HMACKey) LogValue() slog.Value       { return slog.StringValue("(secret)") }
