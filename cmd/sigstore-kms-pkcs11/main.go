// Command sigstore-kms-pkcs11 signs with keys in PKCS #11 tokens, for programs
// that speak the plug-in protocol of sigstore
// (github.com/sigstore/sigstore/pkg/signature/kms/cliplugin, version v1).
//
// It is run once for each question: the first argument is "v1", the second a
// JSON object with the method and its arguments, standard input is the message
// to sign or verify when no digest is given, and one JSON object comes back on
// standard output. An error is an answer too; the exit status then is 1. What
// the token's library prints goes to standard error.
//
// # Keys
//
// A key is named by a PKCS #11 URI (RFC 7512), in full or, as sigstore's client
// hands it on, without its scheme:
//
//	pkcs11:module-path=/usr/lib/softhsm/libsofthsm2.so;token=boards;object=ca?pin-source=file:/etc/tcpboot/boards.pin
//
//	module-path  the token's library: absolute, owned by root and writable by
//	             nobody else, as are all folders above it
//	token        the token's label; or serial, or slot-id: one of them
//	object, id   the key's label and its identifier; one will do for a key that
//	             is there, a new key gets both. id is written as RFC 7512 has it,
//	             %0a%10, or in hex, 0a10
//	pin-source   file: and the absolute path of a file that holds the PIN and
//	             that nobody but its owner can read. Without it, no login.
//	             Runs with the same file take turns
//
// Nothing else may stand in the URI, least of all pin-value: arguments can be
// read by every user of the machine.
//
// # Algorithms
//
// ecdsa-sha2-256-nistp256 (the default), ecdsa-sha2-384-nistp384 and
// rsa-sign-pkcs1-3072-sha256 make a key; keys of these three kinds sign digests
// of SHA-256, SHA-384 and SHA-512, RSA by PKCS #1 v1.5. A new key cannot leave
// its token.
//
// # Under cosign
//
// cosign keeps the scheme pkcs11: for itself, also where it was built without
// it. This program does not care for its own name, so a link on PATH under
// another one will do:
//
//	ln -s /usr/lib/tcpboot/sigstore-kms-pkcs11 ~/bin/sigstore-kms-token
//	cosign sign-blob --key 'token://module-path=…;token=boards;object=ca?pin-source=file:/…' FILE
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
	answers, err := takeStdout()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sigstore-kms-pkcs11:", err)
		os.Exit(1)
	}
	os.Exit(serve(os.Args, os.Stdin, answers))
}

// takeStdout returns standard output and leaves standard error in its place: a
// token's library that prints something must not spoil the answer.
func takeStdout() (*os.File, error) {
	answers, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, fmt.Errorf("standard error: %w", err)
	}
	return os.NewFile(uintptr(answers), "answers"), nil
}
