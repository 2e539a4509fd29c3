// Command sigstore-kms-vault signs with keys in the transit engine of HashiCorp
// Vault or OpenBao, for programs that speak the plug-in protocol of sigstore:
// cosign, tcpboot.
//
// Package helper says how it is asked, and how it answers.
//
// # Keys
//
//	vault:name=app;mount=transit;version=1?token-source=file:/etc/tcpboot/vault.token
//
//	name          the key's name
//	mount         where the engine is mounted; transit unless it is given
//	version       the key's version: 1 unless it is given, also after a rotation in
//	              Vault. Another version is another key
//	token-source  file: and the absolute path of a file that holds the token and
//	              that nobody but its owner can read; VAULT_TOKEN unless it is given
//
// The server is that of VAULT_ADDR: by https, or on this machine. What else Vault's
// own program takes of the environment, VAULT_CACERT for one, counts here too.
//
// A new key cannot be exported. RSA keys sign by PKCS #1 v1.5 and by PSS, whichever
// they are made for. A Vault that does not know "salt_length" as a number puts
// another salt into PSS, which shows when the key is made.
package main

import "github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"

func main() { program.Main() }

var program = helper.Program{Name: "sigstore-kms-vault", Open: open}
