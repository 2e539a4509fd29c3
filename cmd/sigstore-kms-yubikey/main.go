// Command sigstore-kms-yubikey signs with keys in the PIV slots of a YubiKey, for
// programs that speak the plug-in protocol of sigstore: cosign, tcpboot.
//
// Package helper says how it is asked, and how it answers.
//
// # Keys
//
//	yubikey:slot-id=9c;serial=112233?pin-source=file:/etc/tcpboot/yubikey.pin
//
//	slot-id     9a, 9c, 9d, 9e, or 82 to 95
//	serial      the YubiKey's number, where several may be plugged in
//	pin-source  file: and the absolute path of a file that holds the PIN and that
//	            nobody but its owner can read. Runs with the same file take turns
//
// It makes no keys: that would end, without a word, the key that a slot has, and
// older YubiKeys cannot tell whether there is one. Their own program does:
//
//	ykman piv keys generate --algorithm ECCP256 9c app.pem
//
// RSA keys sign by PKCS #1 v1.5 and by PSS; those with 3072 bits, which images want,
// need firmware 5.7. A key that wants to be touched is to be touched within the time
// that the asking program gives: a minute, of tcpboot.
package main

import "github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"

func main() { program.Main() }

var program = helper.Program{Name: "sigstore-kms-yubikey", Open: open}
