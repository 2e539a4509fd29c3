package custody

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Keyring opens keys by URI:
//
//	keys/boards-ca.pem              a file, relative to Dir
//	file:keys/boards-ca.pem         the same
//	file:///media/stick/root.pem    a file elsewhere
//	pkcs11:token=boards;object=ca?… a key store, through its helper
//
// What follows another scheme than file: may, against the rules, hold a PIN, so
// errors repeat the scheme alone.
type Keyring struct {
	Dir         string      // the site
	Passphrases Passphrases // asked once for each key file that is opened

	// Helpers is the folder of the helper executables, an absolute path. Empty
	// stands for the folder of this program, then /usr/lib/tcpboot.
	Helpers string

	// Environ is what helpers may get of the environment, as os.Environ has it:
	// they get HOME and the variables of their kind of key store.
	Environ []string

	// Timeout is how long one signature may take in a key store; zero stands for
	// a minute, in which a person can touch a token. A new key may take five
	// times as long.
	Timeout time.Duration
}

// Open returns the key that uri names. A file is opened with the passphrase of
// role and must be readable by its owner alone; errors.Is(err, ErrPassphrase)
// says that another passphrase may help. A key in a store signs digests of
// SHA-256, SHA-384 and SHA-512, RSA by PKCS #1 v1.5 or, with *rsa.PSSOptions that
// state the length of the salt, by PSS; from several goroutines if need be. It
// knows no passphrase.
func (k Keyring) Open(uri string, role Role) (crypto.Signer, error) {
	key, err := k.open(uri, role)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", role, err)
	}
	return key, nil
}

// OpenPinned is Open for a key whose public half is known already, from a
// certificate for instance. It refuses every other key.
func (k Keyring) OpenPinned(uri string, role Role, public crypto.PublicKey) (crypto.Signer, error) {
	key, err := k.Open(uri, role)
	if err != nil {
		return nil, err
	}
	if !equal(key.Public(), public) {
		return nil, fmt.Errorf("key for %s: another key than the one that the site knows", role)
	}
	return key, nil
}

func (k Keyring) open(uri string, role Role) (crypto.Signer, error) {
	if Store(uri) != "" {
		key, err := k.openStored(uri)
		if err != nil {
			return nil, err // not key, a nil of its own type
		}
		return key, nil
	}
	path, err := k.File(uri)
	if err != nil {
		return nil, err
	}
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	passphrase, err := k.Passphrases(role)
	if err != nil {
		return nil, err
	}
	key, err := Unseal(text, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

func equal(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// File returns the path of the file that uri names, which need not be there.
func (k Keyring) File(uri string) (string, error) {
	path := strings.TrimPrefix(uri, "file:")
	if path == uri && strings.Contains(uri, ":") {
		return "", errors.New("not a key URI: want a path, file: and a path, or the scheme of a key store")
	}
	if local, ok := strings.CutPrefix(path, "//"); ok && path != uri {
		if !strings.HasPrefix(local, "/") {
			return "", fmt.Errorf("%s: a file URI with a host: want file:PATH or file:///PATH", uri)
		}
		path = local
	}
	if path == "" {
		return "", fmt.Errorf("key URI %q: no path", uri)
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Join(k.Dir, path), nil
}

// readPrivate reads a key file after checking that nobody but its owner can.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("%s: mode %04o: others can get at the key; want 0600", path, perm)
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
