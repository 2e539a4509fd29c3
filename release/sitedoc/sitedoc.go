// Package sitedoc is the site document: one page, signed by the release roots,
// from which boards and servers learn whom to trust. A board that holds a site
// document needs nothing else to judge a release, a RADIUS server or an image
// server; a board is built with the first one, or with the roots that signed it.
//
// # Who signs
//
// A site has up to three release roots, of which a threshold must sign. They sign
// site documents and nothing else, and can lie in a safe between two of them. The
// keys that sign manifests every day are named in the document, each with its
// scope; a stolen one is replaced by the next document.
//
// # Succession
//
// Documents are numbered by epoch. A board at one document takes another as its
// successor if
//
//   - it is for the same site and its epoch is higher,
//   - it is signed by a quorum of the roots that the board trusts now, and by a
//     quorum of the roots that the document itself names, which are the ones
//     trusted from then on,
//   - its reset generation is not lower, and no counter floor falls or vanishes.
//
// So a new set of roots is signed by the old and the new quorum, and a board that
// was asleep for years follows one document after the other. See Verify, Follow
// and Chain. Roots that lie apart sign a Draft.
//
// # Counters
//
// A manifest carries a counter (generation, count), and a board refuses a lower
// one than it has seen. A thief of a release key could state the highest count
// and lock boards out; but no manifest may name a generation above that of the
// site document. So the roots raise the generation, together with a floor in it,
// and every count of an older generation lies below.
//
// # Encoding
//
// A document is a COSE_Sign of package cose with the typ
// "application/vnd.tcpboot.site.v1", 4096 bytes at most. Its payload is
//
//	document = {
//	   1: site,                          tstr, a name
//	   2: epoch,                         uint, from 1
//	   3: reset generation,              uint, 32 bits
//	   4: [1*16 release-key],            in rising order
//	   5: [1*3 key],                     the roots, in rising order
//	   6: threshold,                     uint, 1 … number of roots
//	   7: [1*4 endpoint],                tstr "host:port", the preferred first
//	   8: RADIUS name,                   tstr, what the EAP server proves to be
//	   9: update name,                   tstr, what the image server proves to be
//	  10: [1*4 digest],                  issuing CAs of RADIUS servers, in rising order
//	  11: [1*4 digest],                  issuing CAs of image servers, in rising order
//	  12: {* hardware: [generation, count]},   counter floors; at most 32
//	}
//	release-key = [key, kind, [*8 hardware]]   no hardware: any; in rising order
//	key         = bstr of 64 bytes, x ‖ y of a P-256 point
//	kind        = 1 firmware, 2 loader
//	digest      = bstr of 32 bytes, SHA-256 of a SubjectPublicKeyInfo
//
// Every key of the map is there, none other, in deterministic CBOR. A name is 1 to
// 63 letters, digits and ". _ -", a letter or digit first. "Rising order" is
// strict and by the bytes of what is ordered, in a release-key by key, then kind.
// No root is a release key too. When the reset generation is above 0 some floor
// is in it, and no floor is in a later one.
//
// # Example
//
// The payload of testdata/least.txt, in diagnostic notation:
//
//	{1: "site", 2: 5, 3: 0,
//	 4: [[h'3ed113b7…', 1, []]],
//	 5: [h'5ecbe4d1…', h'6b17d1f2…', h'7cf27b18…'], 6: 2,
//	 7: ["boot.example.org:8123"],
//	 8: "radius.site", 9: "update.site",
//	 10: [h'e1a15b30…'], 11: [h'5d0df542…'],
//	 12: {}}
package sitedoc

import (
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
)

// Type is the typ of a site document.
const Type = "application/vnd.tcpboot.site.v1"

// Bounds that a board relies on; MaxSize is that of the whole signed document.
const (
	MaxSize      = cose.MaxSize
	MaxRoots     = 3
	MaxKeys      = 16
	MaxHardware  = 8 // in the scope of one key
	MaxEndpoints = 4
	MaxIssuers   = 4
	MaxFloors    = 32
	maxHost      = 128
)

// A Doc is what a site document says. Lists that are sets (Keys, Roots, issuers,
// Hardware) may stand in any order; they are written in rising order.
type Doc struct {
	Site       string                   `json:"site"`
	Epoch      uint64                   `json:"epoch"`
	Generation uint32                   `json:"generation"` // highest reset generation of a counter
	Keys       []ReleaseKey             `json:"keys"`
	Roots      Roots                    `json:"roots"` // who must sign this document and the next
	Endpoints  []string                 `json:"endpoints"`
	Names      Names                    `json:"names"`
	EAPIssuers []fleet.Digest           `json:"eap_issuers"` // of the keys of issuing CAs
	TLSIssuers []fleet.Digest           `json:"tls_issuers"`
	Floors     map[string]fleet.Counter `json:"floors,omitempty"` // by hardware
}

// A ReleaseKey is a key that signs manifests, and for what.
type ReleaseKey struct {
	Key      cose.Key `json:"key"`
	Kind     Kind     `json:"kind"`
	Hardware []string `json:"hardware,omitempty"` // none: any
}

// Roots is a set of release roots, Threshold of which make a quorum.
type Roots struct {
	Keys      []cose.Key `json:"keys"`
	Threshold int        `json:"threshold"`
}

// Names are the logical names that servers prove in their certificates. They
// are not host names: servers may move.
type Names struct {
	RADIUS string `json:"radius"`
	Update string `json:"update"`
}

// A Fault is the kind of thing that is wrong with a document, beside those of
// package cose. It is found in errors with errors.Is.
type Fault string

// The faults.
const (
	Invalid    Fault = "not a valid site document"             // signed as it may be
	Succession Fault = "does not succeed the present document" // though valid by itself
	Scope      Fault = "key is not trusted for this"           // hardware or kind
	Counter    Fault = "counter is outside the site's bounds"
)

// Error makes a Fault an error.
func (f Fault) Error() string { return string(f) }
