// Command sigstore-kms-azure signs with keys in the Key Vault of Azure, for
// programs that speak the plug-in protocol of sigstore: cosign, tcpboot.
//
// Package helper says how it is asked, and how it answers.
//
// # Keys
//
//	azure:vault=site;name=app;version=0123…?environment=public&hsm=true
//
//	vault, name  the vault's name, and the key's in it
//	version      the newest unless it is given. A new key gets one from Azure
//	environment  the cloud: public unless it is usgov or china
//	hsm          true: a new key is in hardware
//
// Who asks, Azure's own libraries find in the environment, AZURE_CLIENT_ID and
// others, or from the machine. Signing takes the permissions to get a key and to
// sign with it, making a key the one to create it too.
//
// RSA keys sign by PKCS #1 v1.5 and by PSS, whichever they are made for, P-384 keys
// digests of SHA-384 alone. A new key cannot be exported.
package main

import "github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"

func main() { program.Main() }

var program = helper.Program{Name: "sigstore-kms-azure", Open: open}
