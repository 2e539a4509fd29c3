package cose

// The messages as they are encoded; the package comment explains them.

const es256 = -7

var (
	tag1 = []byte{0xd2}       // tag 18, COSE_Sign1
	tagN = []byte{0xd8, 0x62} // tag 98, COSE_Sign
)

type wire1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected struct{}
	Payload     []byte
	Signature   []byte
}

type wire struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected struct{}
	Payload     []byte
	Signatures  []wireSignature
}

type wireSignature struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected struct{}
	Signature   []byte
}

type header1 struct {
	Alg   int64  `cbor:"1,keyasint"`
	KeyID []byte `cbor:"4,keyasint"`
	Type  string `cbor:"16,keyasint"`
}

type header struct {
	Type string `cbor:"16,keyasint"`
}

type headerN struct {
	Alg   int64  `cbor:"1,keyasint"`
	KeyID []byte `cbor:"4,keyasint"`
}

// tbs1 is what the signature of a COSE_Sign1 covers: its Sig_structure.
func tbs1(protected, payload []byte) []byte {
	return must(Marshal([]any{"Signature1", protected, []byte{}, payload}))
}

// tbsN is what one signature of a COSE_Sign covers.
func tbsN(body, protected, payload []byte) []byte {
	return must(Marshal([]any{"Signature", body, protected, []byte{}, payload}))
}
