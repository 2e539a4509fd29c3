package custody

import (
	"crypto"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A Keyring opens keys by URI:
//
//	keys/boards-ca.pem              a file, relative to Dir
//	file:keys/boards-ca.pem         the same
//	file:///media/stick/root.pem    a file elsewhere
//
// Every other scheme names a key store outside the site, which takes a helper
// executable to reach. What follows such a scheme may hold a PIN, so errors
// repeat the scheme alone.
type Keyring struct {
	Dir         string      // the site
	Passphrases Passphrases // asked once for each key that is opened
}

// Open returns the key that uri names, opened with the passphrase of role. The
// file must be readable by its owner alone. errors.Is(err, ErrPassphrase) says
// that another passphrase may help.
func (k Keyring) Open(uri string, role Role) (crypto.Signer, error) {
	path, err := k.path(uri)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", role, err)
	}
	text, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", role, err)
	}
	passphrase, err := k.Passphrases(role)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", role, err)
	}
	key, err := Unseal(text, passphrase)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %s: %w", role, path, err)
	}
	return key, nil
}

// path returns the file that uri names.
func (k Keyring) path(uri string) (string, error) {
	path := uri
	if scheme, rest, ok := strings.Cut(uri, ":"); ok {
		if scheme != "file" {
			return "", schemeError(scheme)
		}
		path = rest
		if local, ok := strings.CutPrefix(rest, "//"); ok {
			if !strings.HasPrefix(local, "/") {
				return "", fmt.Errorf("%s: a file URI with a host: want file:PATH or file:///PATH", uri)
			}
			path = local
		}
	}
	if path == "" {
		return "", fmt.Errorf("key URI %q: no path", uri)
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Join(k.Dir, path), nil
}

func schemeError(scheme string) error {
	for _, r := range scheme {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return fmt.Errorf("not a key URI: want a path, or file: and a path")
		}
	}
	return fmt.Errorf("%s: keys are opened by a helper executable, sigstore-kms-%s, and this tcpboot runs none: keep the key in a file", scheme, scheme)
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
