// Command sigstore-kms-pkcs11 signs with keys in PKCS #11 tokens, for programs
// that speak the plug-in protocol of sigstore: cosign, tcpboot.
//
// Package helper says how it is asked, and how it answers.
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
// A new key cannot leave its token. RSA keys sign by PKCS #1 v1.5 and by PSS,
// whichever they are made for.
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

import "github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"

func main() { program.Main() }

var program = helper.Program{Name: "sigstore-kms-pkcs11", Open: open}
