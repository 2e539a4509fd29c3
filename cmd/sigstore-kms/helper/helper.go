// Package helper is what the helpers for key stores share. A helper answers one
// question about one key in its store, for a program that speaks the plug-in
// protocol of sigstore
// (github.com/sigstore/sigstore/pkg/signature/kms/cliplugin, version v1): stock
// cosign, or tcpboot. A question is
//
//	sigstore-kms-NAME v1 '{"initOptions": {"keyResourceID": …}, "methodName": …}'
//
// with the message to sign or verify on standard input when no digest is given.
// One JSON object comes back on standard output. An error is an answer too; the
// exit status then is 1. What a store's library prints goes to standard error.
//
// The protocol cannot ask for RSA-PSS. A first argument "tcpboot-v1" asks for
// that, in the mode that package pki/custody of tcpboot specifies.
//
// # Keys
//
// After the scheme, which is NAME, stand attributes, in any order:
//
//	NAME:attribute=value;attribute=value?attribute=value&attribute=value
//
// as RFC 7512 has them, blanks and marks as %XX. Which there are is each helper's
// own; none bears a secret, because arguments can be read by every user of the
// machine.
//
// # Algorithms
//
// Keys are P-256, P-384 and RSA with 2048 or 3072 bits, and sign digests of
// SHA-256, SHA-384 and SHA-512, as far as their store goes; RSA by PKCS #1 v1.5 or
// by PSS. Where a store settles that when a key is made, the algorithm of the new
// key says it: rsa-sign-pss-3072-sha256.
package helper

import (
	"context"
	"crypto"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Key is one key in a store, or the place where one is to be made. No method
// asks the store for anything before it has to.
type Key interface {
	// Public returns the public half.
	Public(context.Context) (crypto.PublicKey, error)

	// Sign signs a digest of SHA-256, SHA-384 or SHA-512. Options are
	// *rsa.PSSOptions with a salt of a stated length, or the hash.
	Sign(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)

	// Create makes the key. It refuses a place that has one.
	Create(context.Context, Algorithm) (crypto.PublicKey, error)
}

// A Program is a helper.
type Program struct {
	Name string // of the executable: it begins what is said on standard error

	// Open reads the name of a key. Its errors repeat no value: it may be a
	// secret in the wrong place.
	Open func(key string) (Key, error)
}

// Main is the main function of a helper.
func (p Program) Main() {
	answers, err := TakeStdout()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(1)
	}
	os.Exit(p.Serve(os.Args, os.Stdin, answers))
}

// TakeStdout returns standard output and leaves standard error in its place: a
// store's library that prints something must not spoil the answer.
func TakeStdout() (*os.File, error) {
	answers, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, fmt.Errorf("standard error: %w", err)
	}
	return os.NewFile(uintptr(answers), "answers"), nil
}
