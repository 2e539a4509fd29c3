package cose

import (
	"bytes"
	"math/big"
	"slices"
)

// vectors makes every vector: one scenario each, named after its file.
func vectors() map[string]vector {
	all := map[string]vector{}
	add1 := func(name, comment string, fault Fault, message []byte) {
		all["sign1-"+name] = vector{comment: comment, fault: fault, typ: "a/b", threshold: 1,
			trusted: []Key{testSigner(1).Key}, payload: []byte{1}, message: message}
	}
	addN := func(name, comment string, fault Fault, threshold int, message []byte) {
		all["sign-"+name] = vector{comment: comment, fault: fault, typ: "a/b", threshold: threshold,
			trusted: []Key{testSigner(1).Key, testSigner(2).Key, testSigner(3).Key}, payload: []byte{1}, message: message}
	}
	single(add1)
	several(addN)
	return all
}

func single(add func(name, comment string, fault Fault, message []byte)) {
	good := hand1().message()
	body := hand1().body()
	id := testSigner(1).Key.ID()
	spoil := hand1().spoil

	add("example", "the example of the specification", "", good)
	add("high-s", "(r, n-s) is a signature too", "", otherS(good))

	add("untagged", "the tag is not optional", Encoding, body)
	add("other-tag", "a COSE_Mac0", Encoding, cat([]byte{0xd1}, body))
	add("tag-98", "one signature where several belong", Encoding, cat(tagN, body))
	add("long-tag", "the tag in two bytes", Encoding, cat([]byte{0xd8, 18}, body))
	add("empty", "no byte at all", Encoding, nil)
	add("truncated", "the last byte is missing", Encoding, good[:len(good)-1])
	add("trailing", "a byte after the end", Encoding, cat(good, []byte{0}))
	add("five-elements", "an element too many", Encoding, cat(tag1, []byte{0x85}, body[1:], []byte{0xf6}))
	add("indefinite-array", "the outer array of indefinite length", Encoding, cat(tag1, []byte{0x9f}, body[1:], []byte{0xff}))
	add("indefinite-payload", "the payload in chunks", Encoding,
		cat(tag1, replaced(body, []byte{0xa0, 0x41, 1, 0x58}, []byte{0xa0, 0x5f, 0x41, 1, 0xff, 0x58})))
	add("long-length", "the length of the payload in two bytes", Encoding,
		cat(tag1, replaced(body, []byte{0xa0, 0x41, 1, 0x58}, []byte{0xa0, 0x58, 1, 1, 0x58})))
	add("detached", "the payload is null", Encoding,
		cat(tag1, replaced(body, []byte{0xa0, 0x41, 1, 0x58}, []byte{0xa0, 0xf6, 0x58})))
	add("payload-text", "the payload is text", Encoding,
		cat(tag1, replaced(body, []byte{0xa0, 0x41, 1, 0x58}, []byte{0xa0, 0x61, 1, 0x58})))
	add("unprotected", "a header outside the signature", Encoding,
		spoil(func(h *hand) { h.unprotected = mapOf([]byte{4}, bstr([]byte{1})) }))
	add("header-long-integer", "the algorithm as a longer integer", Encoding,
		spoil(func(h *hand) { h.protected = replaced(h.protected, []byte{1, 0x26}, []byte{1, 0x38, 6}) }))
	add("header-unsorted", "typ before the key id", Encoding,
		spoil(func(h *hand) {
			h.protected = mapOf([]byte{1}, []byte{0x26}, []byte{16}, tstr("a/b"), []byte{4}, bstr(id[:]))
		}))
	add("header-duplicate", "the algorithm twice", Encoding,
		spoil(func(h *hand) {
			h.protected = mapOf([]byte{1}, []byte{0x26}, []byte{1}, []byte{0x26}, []byte{4}, bstr(id[:]), []byte{16}, tstr("a/b"))
		}))
	add("header-critical", "a header that is not known", Encoding,
		spoil(func(h *hand) {
			h.protected = mapOf([]byte{1}, []byte{0x26}, []byte{2}, array([]byte{1}), []byte{4}, bstr(id[:]), []byte{16}, tstr("a/b"))
		}))
	add("header-no-key", "no key id", Encoding,
		spoil(func(h *hand) { h.protected = mapOf([]byte{1}, []byte{0x26}, []byte{16}, tstr("a/b")) }))
	add("header-no-type", "no type", Encoding,
		spoil(func(h *hand) { h.protected = mapOf([]byte{1}, []byte{0x26}, []byte{4}, bstr(id[:])) }))
	add("header-trailing", "a byte after the header", Encoding,
		spoil(func(h *hand) { h.protected = cat(h.protected, []byte{0}) }))
	add("header-text-key", "the algorithm under a text key", Encoding,
		spoil(func(h *hand) {
			h.protected = mapOf([]byte{4}, bstr(id[:]), []byte{16}, tstr("a/b"), tstr("1"), []byte{0x26})
		}))

	add("algorithm-es384", "ES384 is not in the profile", Profile,
		spoil(func(h *hand) { h.protected = replaced(h.protected, []byte{1, 0x26}, []byte{1, 0x38, 34}) }))
	add("algorithm-none", "no algorithm has the number 0", Profile,
		spoil(func(h *hand) { h.protected = replaced(h.protected, []byte{1, 0x26}, []byte{1, 0}) }))
	add("key-id-short", "a prefix of the key id", Profile,
		spoil(func(h *hand) { h.protected = replaced(h.protected, bstr(id[:]), bstr(id[:8])) }))
	add("payload-empty", "an empty payload", Profile, spoil(func(h *hand) { h.payload = nil }))
	add("signature-der", "a signature in DER", Profile,
		cat(tag1, array(bstr(hand1().protected), []byte{0xa0}, bstr([]byte{1}), bstr(bytes.Repeat([]byte{0x30}, 70)))))

	add("type-other", "a document of another type", Type,
		spoil(func(h *hand) { h.protected = replaced(h.protected, tstr("a/b"), tstr("a/c")) }))
	add("type-empty", "an empty type", Type,
		spoil(func(h *hand) { h.protected = replaced(h.protected, tstr("a/b"), tstr("")) }))

	add("other-key", "signed by a key that is not trusted", Untrusted,
		must(Sign1("a/b", []byte{1}, testSigner(2))))

	add("signature-changed", "the last bit of the signature", Forged, flip(good, len(good)-1))
	add("payload-changed", "another payload under the signature", Forged, flip(good, bytes.Index(good, []byte{0xa0, 0x41, 1})+2))
	add("signature-zero", "r and s are zero", Forged, cat(good[:len(good)-64], make([]byte, 64)))
	add("signature-order", "r and s are the order of the group", Forged, cat(good[:len(good)-64], order(), order()))
	add("other-context", "a signature made for a COSE_Sign", Forged,
		cat(good[:len(good)-64], must(testSigner(1).Sign(tbsN(hand1().protected, nil, []byte{1})))))
	add("borrowed-id", "another key signs under the trusted key's id", Forged,
		spoil(func(h *hand) { h.signers = []Signer{testSigner(2)} }))

	add("too-long", "a byte more than the longest message", TooLong, make([]byte, MaxSize+1))
}

func several(add func(name, comment string, fault Fault, threshold int, message []byte)) {
	one, two, three, stranger := testSigner(1), testSigner(2), testSigner(3), testSigner(9)
	all := byID([]Signer{one, two, three})
	good := must(Sign("a/b", []byte{1}, all...))

	add("three-of-three", "every trusted key signed", "", 3, good)
	add("two-of-three", "enough of the trusted keys signed", "", 2, must(Sign("a/b", []byte{1}, two, three)))
	add("stranger-too", "a signature of an unknown key does no harm", "", 2, must(Sign("a/b", []byte{1}, one, stranger, two)))

	add("one-of-two-needed", "below the threshold", Untrusted, 2, must(Sign("a/b", []byte{1}, one)))
	add("strangers", "only unknown keys signed", Untrusted, 1, must(Sign("a/b", []byte{1}, stranger, testSigner(8))))
	add("stranger-counts-not", "an unknown key does not fill up the threshold", Untrusted, 2, must(Sign("a/b", []byte{1}, one, stranger)))

	add("same-key-twice", "one key does not make a quorum", Profile, 2, handN(one, one).message())
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	add("unsorted", "signatures in falling order", Profile, 3, handN(reversed...).message())
	add("no-signature", "no signature at all", Profile, 1, handN().message())
	var many []Signer
	for n := range byte(MaxSigners + 1) {
		many = append(many, testSigner(n+1))
	}
	add("too-many", "more signatures than a reader has room for", Profile, 1, handN(byID(many)...).message())

	add("one-forged", "enough good signatures and a forged one of a trusted key", Forged, 2, flip(good, len(good)-1))
	h := handN(one)
	h.perSigner = func(s Signer) []byte { return cat(handN().perSigner(s), []byte{0}) }
	add("header-trailing", "a byte after a signer's header", Encoding, 1, h.message())
	h = handN(one)
	h.protected = mapOf([]byte{1}, []byte{0x26}, []byte{16}, tstr("a/b"))
	add("body-algorithm", "the algorithm in the header of the whole", Encoding, 1, h.message())
	h = handN(one)
	h.protected = mapOf([]byte{16}, tstr("a/c"))
	add("type-other", "a document of another type", Type, 1, h.message())
}

func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

func order() []byte { return testKey(1).Params().N.Bytes() }

// otherS turns the signature (r, s) at the end of b into (r, n-s).
func otherS(b []byte) []byte {
	n := testKey(1).Params().N
	s := new(big.Int).SetBytes(b[len(b)-32:])
	return cat(b[:len(b)-32], s.Sub(n, s).FillBytes(make([]byte, 32)))
}
