package main

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/release/mcuboot"
)

const maxKeyFile = 64 << 10

// openSigner opens the key that uri names, to sign with.
func openSigner(c *cli.Context, uri string) (crypto.Signer, error) {
	if custody.Store(uri) != "" {
		return keyStore(c, "").Open(uri, custody.App)
	}
	key, err := readKey(c, uri)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: %s: want a private key to sign with", uri, kindOfKey(key))
	}
	return signer, nil
}

// openPublic returns the public half of the key that uri names.
func openPublic(c *cli.Context, uri string) (crypto.PublicKey, error) {
	if custody.Store(uri) != "" {
		key, err := openSigner(c, uri)
		if err != nil {
			return nil, err
		}
		return key.Public(), nil
	}
	key, err := readKey(c, uri)
	if err != nil {
		return nil, err
	}
	return publicHalf(key), nil
}

// publicHalf is a key that has no secret, or is none to share: one for AES.
func publicHalf(key any) any {
	if private, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return private.Public()
	}
	return key
}

// openRecipient returns whom to encrypt for: with SHA-512 in key wrapping where
// that is asked for.
func openRecipient(c *cli.Context, path string) (mcuboot.Recipient, error) {
	key, err := readKey(c, path)
	if err != nil {
		return nil, err
	}
	to, err := recipientOf(publicHalf(key), c.String("hmac-sha"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return to, nil
}

func recipientOf(key any, hash string) (mcuboot.Recipient, error) {
	switch hash {
	case "256":
		return mcuboot.NewRecipient(key)
	case "512":
		return mcuboot.NewRecipientSHA512(key)
	}
	return nil, usagef("--hmac-sha %s: want 256 or 512", hash)
}

// openIdentities returns what opens encrypted images, from --decrypt-key and
// --factory-key.
func openIdentities(c *cli.Context) (all []mcuboot.Identity, err error) {
	for _, path := range c.StringSlice("decrypt-key") {
		key, err := readKey(c, path)
		if err != nil {
			return nil, err
		}
		id, err := mcuboot.NewIdentity(key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, id)
	}
	secret, err := factoryKey(c)
	if secret != nil {
		all = append(all, mcuboot.Factory(secret))
	}
	return all, err
}

// factoryKey reads --factory-key; nil where there is none.
func factoryKey(c *cli.Context) ([]byte, error) {
	path := c.Path("factory-key")
	if path == "" {
		return nil, nil
	}
	key, err := readKey(c, path)
	if err != nil {
		return nil, err
	}
	secret, ok := key.([]byte)
	if !ok {
		return nil, fmt.Errorf("%s: %s: want a secret in base64", path, kindOfKey(key))
	}
	return secret, nil
}

// readKey reads a key of any kind: a *T of crypto/x509's for PEM, or the bytes
// that are written in base64.
func readKey(c *cli.Context, path string) (any, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	key, secret, err := parseKey(c, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if secret {
		sayWhoCanRead(c, path)
	}
	return key, nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(strings.TrimPrefix(path, "file:"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("%s: larger than %d bytes: not a key", path, maxKeyFile)
	}
	return text, err
}

// parseKey reads a key; secret says that nobody else should have read it, and
// could.
func parseKey(c *cli.Context, text []byte) (key any, secret bool, err error) {
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" { // OpenSSL states them first
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(key) == 0 {
			return nil, false, errors.New("neither a PEM block nor base64")
		}
		return key, true, nil
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		key, err = unsealKey(c, text)
		return key, false, err
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		return key, false, err
	default:
		key, err = parsePublic(text)
		return key, false, err
	}
	return key, true, err
}

// unsealKey opens an encrypted key with the passphrase of the role app, or with
// one that is typed.
func unsealKey(c *cli.Context, text []byte) (crypto.Signer, error) {
	passphrase, err := appPassphrase(c)
	if err != nil {
		return nil, err
	}
	return custody.Unseal(text, passphrase)
}

func appPassphrase(c *cli.Context) ([]byte, error) {
	if file := passphraseFile(c); file != "" {
		passphrases, err := readPassphrases(file)
		if err != nil {
			return nil, err
		}
		return passphrases(custody.App)
	}
	if !isTerminal(os.Stdin) {
		return nil, errNoPassphrase
	}
	return promptSecret(c.Context, "Passphrase for the key: ")
}

// sayWhoCanRead does not refuse, as for the site's own keys: people have kept
// their image keys in version control, where no mode survives.
func sayWhoCanRead(c *cli.Context, path string) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		say(c, "note: %s: mode %04o: others can get at this key", path, info.Mode().Perm())
	}
}

// kindOfKey names a key that is not what was wanted.
func kindOfKey(key any) string {
	if _, secret := key.([]byte); secret {
		return "a secret in base64"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", key), "*")
}
