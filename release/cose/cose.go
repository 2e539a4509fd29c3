// Package cose signs small documents and reads signed ones: COSE_Sign1 and
// COSE_Sign of RFC 9052, narrowed until a message has one encoding and a reader
// fits in a boot loader. It knows nothing of what the documents say.
//
// # Messages
//
// A manifest is signed by one key, a site document by several:
//
//	message1 = 18([protected1, {}, payload, signature])
//	message  = 98([protected, {}, payload, [+ [protectedN, {}, signature]]])
//
//	protected1 = bstr of {1: -7, 4: kid, 16: typ}
//	protected  = bstr of {16: typ}
//	protectedN = bstr of {1: -7, 4: kid}
//
//	payload   = bstr, one byte at least
//	signature = bstr of 64 bytes: r ‖ s, big-endian
//	kid       = bstr of 32 bytes: names the key, see KeyID
//	typ       = tstr: a media type, says what kind of document this is
//
// The tag is always there: in a sequence of messages it tells the two apart.
// The algorithm is always ES256 (-7): ECDSA with P-256 and SHA-256. The kind
// stands under the signature, so a document of one kind is never taken for
// another. Unprotected headers are always empty, and no further header is known.
//
// Signatures of a COSE_Sign are in strictly rising order of kid: no key signs
// twice. There are at most MaxSigners of them, and a message is at most MaxSize
// bytes long.
//
// # What is signed
//
// The signature is over the encoding of
//
//	["Signature1", protected1, h'', payload]
//	["Signature", protected, protectedN, h'', payload]
//
// as RFC 9052 section 4.4 has it, with empty external data, so that any COSE
// library checks our messages and needs to know nothing else. Both (r, s) and
// (r, n-s) are valid signatures by nature of ECDSA and both are accepted: who
// turns one into the other says nothing new.
//
// # Encoding
//
// Everything is deterministic CBOR (RFC 8949 section 4.2.1): definite lengths,
// shortest integers, map keys sorted and unique, nothing after the end. A reader
// refuses everything else: what it reads encodes to the same bytes again.
// Unmarshal and Marshal are that rule, for the payloads of other packages too.
//
// # Example
//
// The payload h'01' of the type "a/b", signed by the key with the private scalar 1
// (testdata/sign1-example.txt; a deterministic signature, RFC 6979):
//
//	d2                                      tag 18
//	84                                      array of 4
//	  58 2b                                 protected header, 43 bytes
//	    a3                                  map of 3
//	      01 26                             alg: ES256
//	      04 58 20 5cd2…7cd3                kid
//	      10 63 612f62                      typ: "a/b"
//	  a0                                    no unprotected header
//	  41 01                                 payload
//	  58 40 …                               signature
package cose

// Bounds that a reader relies on.
const (
	MaxSize    = 4096 // bytes of a whole message
	MaxSigners = 6    // signatures of one COSE_Sign: an old and a new set of three
)

// A Fault is the kind of thing that is wrong with a message. It is found in
// errors with errors.Is; a reader in another language has the same kinds.
type Fault string

// The faults, in the order in which a reader can meet them.
const (
	TooLong   Fault = "too long"                        // more than MaxSize bytes
	Encoding  Fault = "not the one encoding"            // another shape, or not deterministic
	Profile   Fault = "outside the profile"             // algorithm, lengths, order of signatures
	Type      Fault = "another type of document"        // typ is not what the reader asked for
	Untrusted Fault = "not signed by enough known keys" // below the threshold
	Forged    Fault = "signature does not verify"       // though it names a trusted key
)

// Error makes a Fault an error.
func (f Fault) Error() string { return string(f) }
