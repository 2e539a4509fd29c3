package custody

import (
	"bytes"
	"crypto/aes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// The structures of RFC 8018 (PBES2) in the only form that we accept. pemutil
// decrypts, but trusts the numbers it reads: an IV of the wrong length makes it
// panic, an iteration count of two thousand million keeps it busy for an hour.
// So the envelope is read here first.
type (
	envelope struct {
		Algorithm  envelopeAlgorithm
		Ciphertext []byte
	}
	envelopeAlgorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters pbes2
	}
	pbes2 struct {
		KDF struct {
			ID         asn1.ObjectIdentifier
			Parameters pbkdf2
		}
		Cipher struct {
			ID asn1.ObjectIdentifier
			IV []byte
		}
	}
	pbkdf2 struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}
)

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES128CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// checkEnvelope says why der is not an encrypted key that we open.
func checkEnvelope(der []byte) error {
	var e envelope
	rest, err := asn1.Unmarshal(der, &e)
	if err != nil || len(rest) != 0 {
		return errors.New("key file: not PKCS#8 encrypted by PBES2 with PBKDF2 and HMAC-SHA-256")
	}
	if again, err := asn1.Marshal(e); err != nil || !bytes.Equal(again, der) {
		return errors.New("key file: more in it than PBES2 with PBKDF2 has")
	}
	if err := e.Algorithm.checkNames(); err != nil {
		return err
	}
	return e.checkSizes()
}

func (a envelopeAlgorithm) checkNames() error {
	kdf, cipher := a.Parameters.KDF, a.Parameters.Cipher
	switch {
	case !a.ID.Equal(oidPBES2):
		return errors.New("key file: not encrypted by PBES2")
	case !kdf.ID.Equal(oidPBKDF2) || !kdf.Parameters.PRF.Algorithm.Equal(oidHMACSHA256):
		return errors.New("key file: the passphrase is not stretched by PBKDF2 with HMAC-SHA-256")
	case !cipher.ID.Equal(oidAES128CBC) && !cipher.ID.Equal(oidAES256CBC):
		return errors.New("key file: the cipher is neither AES-128-CBC nor AES-256-CBC")
	}
	return nil
}

func (e envelope) checkSizes() error {
	kdf, iv := e.Algorithm.Parameters.KDF.Parameters, e.Algorithm.Parameters.Cipher.IV
	switch {
	case kdf.Iterations < minIterations || kdf.Iterations > maxIterations:
		return fmt.Errorf("key file: %d iterations: want %d to %d", kdf.Iterations, minIterations, maxIterations)
	case len(kdf.Salt) < 8 || len(kdf.Salt) > 64:
		return fmt.Errorf("key file: a salt of %d bytes: want 8 to 64", len(kdf.Salt))
	case len(iv) != aes.BlockSize:
		return fmt.Errorf("key file: an IV of %d bytes: want %d", len(iv), aes.BlockSize)
	case len(e.Ciphertext) == 0 || len(e.Ciphertext)%aes.BlockSize != 0:
		return fmt.Errorf("key file: %d encrypted bytes: want a multiple of %d", len(e.Ciphertext), aes.BlockSize)
	}
	return nil
}
