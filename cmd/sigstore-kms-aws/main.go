// Command sigstore-kms-aws signs with keys in the key management service of AWS,
// for programs that speak the plug-in protocol of sigstore: cosign, tcpboot.
//
// Package helper says how it is asked, and how it answers.
//
// # Keys
//
//	aws:key-id=alias/app;region=eu-west-1?profile=site&credentials-file=/etc/tcpboot/aws
//
//	key-id            an alias, alias/NAME, a key's identifier, or the ARN of
//	                  either. A new key is given an alias
//	region            unless the environment or the profile says it
//	profile           of the settings in ~/.aws
//	credentials-file  the absolute path of a file in their place
//
// Who asks, AWS's own libraries find in the environment, in ~/.aws or from the
// machine. Signing takes the permissions kms:GetPublicKey and kms:Sign; making a
// key kms:CreateKey and kms:CreateAlias too.
//
// RSA keys sign by PKCS #1 v1.5 and by PSS, whichever they are made for, P-384 keys
// digests of SHA-384 alone. A key in AWS cannot leave it.
package main

import "github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"

func main() { program.Main() }

var program = helper.Program{Name: "sigstore-kms-aws", Open: open}
