// Command sigstore-kms-gcp signs with keys in the key management service of Google
// Cloud, for programs that speak the plug-in protocol of sigstore: cosign, tcpboot.
//
// Package helper says how it is asked, and how it answers.
//
// # Keys
//
//	gcp:resource=projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/1?credentials-file=/etc/tcpboot/gcp.json
//
//	resource          one version of a key. A new key has version 1; its ring is
//	                  made where there is none
//	credentials-file  the absolute path of a service account's file
//
// Who asks, Google's own libraries find in GOOGLE_APPLICATION_CREDENTIALS, in the
// home folder or from the machine, unless a file is given.
//
// A key signs by the algorithm that it was made for and by no other: RSA either by
// PKCS #1 v1.5 or by PSS, P-384 digests of SHA-384 alone. Images want a key of the
// algorithm RSA_SIGN_PSS_3072_SHA256.
package main

func main() { program(connect).Main() }
