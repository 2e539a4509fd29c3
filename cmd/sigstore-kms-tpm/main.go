// Command sigstore-kms-tpm signs with keys of the machine's TPM 2.0, for programs
// that speak the plug-in protocol of sigstore: cosign, tcpboot.
//
// Package helper says how it is asked, and how it answers.
//
// # Keys
//
//	tpm:name=app;storage-directory=/var/lib/tcpboot/tpm?device=/dev/tpmrm0
//
//	name               the key's name: letters, digits, '.', '_' and '-'
//	storage-directory  an absolute path. A TPM has room for few keys, so they lie
//	                   here, encrypted by the TPM for itself: who loses the folder
//	                   loses the keys, who steals it has nothing. Runs with the
//	                   same folder take turns
//	device             the TPM, or a socket on which one listens (swtpm);
//	                   /dev/tpmrm0 unless it is given
//
// What a key may sign no TPM of its own accord decides: whoever can open the
// device and read the folder can have things signed.
//
// RSA keys sign by PKCS #1 v1.5 and by PSS, whichever they are made for. Many TPMs
// make no RSA keys with 3072 bits, and some of the first put another salt into PSS
// than the one that is asked for: either shows when the key is made.
package main

import "github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"

func main() { program.Main() }

var program = helper.Program{Name: "sigstore-kms-tpm", Open: open}
