package sitedoc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
)

// A rootKey is a release root in memory. It signs as RFC 6979 has it, so that the
// same test makes the same bytes.
type rootKey struct{ *ecdsa.PrivateKey }

func (k rootKey) Key() cose.Key {
	key, err := cose.KeyOf(k.Public())
	if err != nil {
		panic(err)
	}
	return key
}

func (k rootKey) SignSite(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	der, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &sig)
	return append(sig.R.FillBytes(make([]byte, 32)), sig.S.FillBytes(make([]byte, 32))...), err
}

// root returns the release root whose private scalar is n.
func root(t testing.TB, n byte) rootKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), n))
	if err != nil {
		t.Fatal(err)
	}
	return rootKey{key}
}

func rootsOf(t testing.TB, numbers ...byte) (roots []Root) {
	for _, n := range numbers {
		roots = append(roots, root(t, n))
	}
	return roots
}

// trust returns the roots with these numbers, threshold of which are a quorum.
func trust(t testing.TB, threshold int, numbers ...byte) Roots {
	r := Roots{Threshold: threshold}
	for _, n := range numbers {
		r.Keys = append(r.Keys, root(t, n).Key())
	}
	slices.SortFunc(r.Keys, compareKeys)
	return r
}

// example returns a document of the roots 1, 2 and 3 with the threshold 2.
func example(t testing.TB) *Doc {
	d := &Doc{
		Site:  "site",
		Epoch: 5,
		Keys: []ReleaseKey{
			{Key: root(t, 11).Key(), Kind: Firmware},
			{Key: root(t, 12).Key(), Kind: Firmware, Hardware: []string{"door", "lamp"}},
			{Key: root(t, 12).Key(), Kind: Loader, Hardware: []string{"door"}},
		},
		Roots:      trust(t, 2, 1, 2, 3),
		Endpoints:  []string{"boot.example.org:8123", "192.0.2.7:8123", "[2001:db8::7]:8123"},
		Names:      Names{RADIUS: "radius.site", Update: "update.site"},
		EAPIssuers: []fleet.Digest{fleet.Sum([]byte("eap"))},
		TLSIssuers: []fleet.Digest{fleet.Sum([]byte("tls 1")), fleet.Sum([]byte("tls 2"))},
		Generation: 1,
		Floors:     map[string]fleet.Counter{"door": {Generation: 1, Count: 3}, "lamp": {Count: 9}},
	}
	slices.SortFunc(d.Keys, compareReleaseKeys)
	slices.SortFunc(d.TLSIssuers, compareDigests)
	return d
}

// with returns a copy of the example with a change.
func with(t testing.TB, change func(*Doc)) *Doc {
	d := example(t)
	change(d)
	return d
}

// signed signs d as it is.
func signed(t testing.TB, d *Doc, roots ...byte) []byte {
	t.Helper()
	b, err := Sign(d, rootsOf(t, roots...)...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// raw signs any payload by roots, as a quorum could that uses other software.
func raw(t testing.TB, typ string, payload []byte, roots ...byte) []byte {
	t.Helper()
	var signers []cose.Signer
	for _, n := range roots {
		r := root(t, n)
		signers = append(signers, cose.Signer{Key: r.Key(), Sign: r.SignSite})
	}
	b, err := cose.Sign(typ, payload, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fields is a document whose parts can be spoilt as Encode would not.
func fields(t testing.TB) map[uint64]any {
	payload, err := example(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var m map[uint64]any
	if err := cose.Unmarshal(payload, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func spoilt(t testing.TB, change func(map[uint64]any)) []byte {
	m := fields(t)
	change(m)
	payload, err := cose.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, Type, payload, 1, 2)
}

// vectors makes every vector, named after its file.
func vectors(t testing.TB) map[string]vector {
	all := map[string]vector{}
	add := func(name, comment string, fault error, signed ...[]byte) {
		all[name] = vector{comment: comment, fault: fault, trusted: trust(t, 2, 1, 2, 3), signed: signed}
	}
	one := func(m map[uint64]any, key uint64) []any { return m[key].([]any) }
	good := signed(t, example(t), 1, 2)

	add("good", "two of three roots signed", nil, good)
	add("all-roots", "all three roots signed", nil, signed(t, example(t), 1, 2, 3))
	add("least", "the least that a document can say", nil, signed(t, with(t, func(d *Doc) {
		d.Keys = d.Keys[:1]
		d.Keys[0].Hardware = nil
		d.Endpoints, d.TLSIssuers = d.Endpoints[:1], d.TLSIssuers[:1]
		d.Floors, d.Generation = nil, 0
	}), 1, 2))
	add("large", "sixteen release keys and three signatures", nil, signed(t, full(t), 1, 2, 3))

	add("one-root", "below the threshold", cose.Untrusted, raw(t, Type, cut(good), 1))
	add("release-key", "signed by release keys", cose.Untrusted, raw(t, Type, cut(good), 11, 12))
	add("other-roots", "signed by a quorum of its own that nobody trusts", cose.Untrusted,
		signed(t, with(t, func(d *Doc) { d.Roots = trust(t, 1, 4) }), 4))
	add("old-roots-only", "a change of roots that the new ones did not sign", cose.Untrusted,
		raw(t, Type, encode(t, with(t, func(d *Doc) { d.Roots = trust(t, 1, 4) })), 1, 2))
	add("manifest-type", "signed as a document of another type", cose.Type,
		raw(t, "application/vnd.tcpboot.manifest.v1", cut(good), 1, 2))
	add("single", "a COSE_Sign1", cose.Encoding, single(t, cut(good)))
	flipped := slices.Clone(good)
	flipped[len(flipped)-1] ^= 1
	add("forged", "a signature with one bit changed", cose.Forged, flipped)
	add("too-long", "a byte more than a document may have", cose.TooLong, make([]byte, MaxSize+1))

	add("unknown-key", "a key of the map that is not known", cose.Encoding,
		spoilt(t, func(m map[uint64]any) { m[13] = uint64(1) }))
	add("missing-key", "no floors, not even an empty map", cose.Encoding, spoilt(t, func(m map[uint64]any) { delete(m, 12) }))
	add("roots-unsorted", "roots in falling order", cose.Encoding, spoilt(t, func(m map[uint64]any) { slices.Reverse(one(m, 5)) }))
	add("keys-unsorted", "release keys in falling order", cose.Encoding, spoilt(t, func(m map[uint64]any) { slices.Reverse(one(m, 4)) }))
	add("issuers-unsorted", "issuers in falling order", cose.Encoding, spoilt(t, func(m map[uint64]any) { slices.Reverse(one(m, 11)) }))
	add("key-short", "a root of 63 bytes", cose.Encoding,
		spoilt(t, func(m map[uint64]any) { one(m, 5)[0] = one(m, 5)[0].([]byte)[:63] }))
	add("negative-epoch", "an epoch below zero", cose.Encoding, spoilt(t, func(m map[uint64]any) { m[2] = int64(-1) }))
	add("wide-generation", "a generation of 33 bits", cose.Encoding, spoilt(t, func(m map[uint64]any) { m[3] = uint64(1) << 32 }))

	add("epoch-zero", "epochs count from 1", Invalid, spoilt(t, func(m map[uint64]any) { m[2] = uint64(0) }))
	add("site-name", "a site name with a slash", Invalid, spoilt(t, func(m map[uint64]any) { m[1] = "a/b" }))
	add("kind-unknown", "a kind of release that does not exist", Invalid,
		spoilt(t, func(m map[uint64]any) { one(m, 4)[0].([]any)[1] = uint64(3) }))
	add("threshold-zero", "a threshold that trusts anything", Invalid, spoilt(t, func(m map[uint64]any) { m[6] = uint64(0) }))
	add("threshold-high", "a threshold that nobody can meet", Invalid, spoilt(t, func(m map[uint64]any) { m[6] = uint64(4) }))
	add("root-twice", "one root counted twice", Invalid, spoilt(t, func(m map[uint64]any) { one(m, 5)[1] = one(m, 5)[0] }))
	add("root-off-curve", "a root that is no point", Invalid,
		spoilt(t, func(m map[uint64]any) { one(m, 5)[0] = make([]byte, 64) }))
	add("root-signs-releases", "a root as a release key", Invalid,
		spoilt(t, func(m map[uint64]any) { one(m, 4)[0].([]any)[0] = one(m, 5)[0] }))
	add("no-endpoint", "nowhere to go", Invalid, spoilt(t, func(m map[uint64]any) { m[7] = []any{} }))
	add("endpoint-no-port", "an endpoint without a port", Invalid, spoilt(t, func(m map[uint64]any) { m[7] = []any{"host"} }))
	add("floor-ahead", "a floor in a generation that has not begun", Invalid,
		spoilt(t, func(m map[uint64]any) { m[12] = map[string]any{"door": []any{uint64(2), uint64(0)}} }))
	add("generation-without-floor", "a generation in which no floor is", Invalid,
		spoilt(t, func(m map[uint64]any) { m[12] = map[string]any{} }))

	successions(t, add)
	return all
}

func successions(t testing.TB, add func(name, comment string, fault error, signed ...[]byte)) {
	first := signed(t, example(t), 1, 2)
	next := func(change func(*Doc)) *Doc {
		return with(t, func(d *Doc) {
			d.Epoch = 8
			change(d)
		})
	}
	moved := func(d *Doc) { d.Roots = trust(t, 1, 4, 5) }
	after := func(d *Doc) { d.Epoch, d.Roots = 9, trust(t, 1, 4, 5) }

	add("chain", "the next epoch", nil, first, signed(t, next(func(*Doc) {}), 2, 3))
	add("chain-new-roots", "new roots, signed by old and new, then by the new alone", nil,
		first, signed(t, next(moved), 1, 2, 4), signed(t, with(t, after), 5))
	add("chain-reset", "a new generation with its floor", nil,
		first, signed(t, next(func(d *Doc) {
			d.Generation = 2
			d.Floors["lamp"] = fleet.Counter{Generation: 2}
		}), 1, 3))

	add("chain-skips-new-roots", "the document that changes the roots is missing", cose.Untrusted,
		first, signed(t, with(t, after), 5))
	add("chain-returns", "the old roots sign after they were replaced", cose.Untrusted,
		first, signed(t, next(moved), 1, 2, 4), signed(t, with(t, func(d *Doc) { d.Epoch = 9 }), 1, 2))
	add("chain-same-epoch", "another document of the same epoch", Succession,
		first, signed(t, with(t, func(d *Doc) { d.Endpoints = d.Endpoints[:1] }), 1, 2))
	add("chain-replay", "an older document again", Succession, first, signed(t, next(func(*Doc) {}), 1, 2), first)
	add("chain-other-site", "a document of another site under the same roots", Succession,
		first, signed(t, next(func(d *Doc) { d.Site = "other" }), 1, 2))
	add("chain-generation-falls", "an older generation", Succession,
		first, signed(t, next(func(d *Doc) { d.Generation, d.Floors = 0, map[string]fleet.Counter{"lamp": {Count: 9}} }), 1, 2))
	add("chain-floor-falls", "a lower floor", Succession,
		first, signed(t, next(func(d *Doc) { d.Floors["lamp"] = fleet.Counter{Count: 8} }), 1, 2))
	add("chain-floor-vanishes", "a floor that is gone", Succession,
		first, signed(t, next(func(d *Doc) { delete(d.Floors, "lamp") }), 1, 2))
}

// full returns a large document.
func full(t testing.TB) *Doc {
	return with(t, func(d *Doc) {
		scope := []string{"hardware-a", "hardware-b", "hardware-c", "hardware-d", "hardware-e", "hardware-f", "hardware-g", "hardware-h"}
		for n := byte(20); len(d.Keys) < MaxKeys; n++ {
			d.Keys = append(d.Keys, ReleaseKey{Key: root(t, n).Key(), Kind: Firmware, Hardware: scope})
		}
		for _, n := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			d.Floors["hardware-"+n] = fleet.Counter{Generation: 1, Count: ^uint32(0)}
		}
		slices.SortFunc(d.Keys, compareReleaseKeys)
		d.Floors = maps.Clone(d.Floors)
	})
}

func encode(t testing.TB, d *Doc) []byte {
	t.Helper()
	payload, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// cut returns the payload of a signed document.
func cut(signed []byte) []byte {
	m, err := cose.Read(Type, signed)
	if err != nil {
		panic(err)
	}
	return m.Payload
}

func single(t testing.TB, payload []byte) []byte {
	r := root(t, 1)
	b, err := cose.Sign1(Type, payload, cose.Signer{Key: r.Key(), Sign: r.SignSite})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// digest returns another digest for each number.
func digest(n uint32) fleet.Digest { return fleet.Sum(binary.BigEndian.AppendUint32(nil, n)) }
