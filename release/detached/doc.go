// Package detached is for signatures by keys that are elsewhere: in a closed room,
// with another person. What is to be signed goes out as files, the signatures come
// back as files, and whoever signs needs none of our programs.
//
// # The folder
//
//	job.json       what is to be signed, and by which key
//	README         the same for people, with a command for each signature
//	NAME.digest    what is to be signed: 32 or 48 bytes, not to be hashed again
//	NAME.message   what that is the digest of, where it is short: for who wants to read it
//	NAME.sig       the signature, which is all that comes back
//
// job.json is
//
//	{
//	  "site": "lab",
//	  "version": "1.4.0",
//	  "hardware": "esp32",
//	  "signatures": [
//	    {"name": "manifest", "what": "the manifest", "key": "release", "key_id": "5cd2…7cd3",
//	     "scheme": "ecdsa-p256-sha256", "digest": "9f86…0a08"}
//	  ]
//	}
//
// where key is the site's name for the key, key_id the SHA-256 of its
// SubjectPublicKeyInfo in DER, and scheme one of
//
//	ecdsa-p256-sha256, ecdsa-p384-sha384           a signature in DER
//	rsa2048-pss-sha256, rsa3072-pss-sha256         with MGF1 by SHA-256 and a salt of 32 bytes
//
// # A signature is made once
//
// What is signed later names what was signed before by its digest: a manifest its
// image, a bundle its manifest. ECDSA in hardware and RSA-PSS draw at random and would
// sign otherwise the next time. So a Ledger keeps every signature, also those by keys
// that are at hand, and whoever asks for it again gets the one that was made.
//
// Nothing that comes back is believed: a signature is verified with the public key
// that the site has, over the digest that it asked for, before it is kept.
package detached
