package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Revocation is one certificate that no longer admits.
type Revocation struct {
	Serial fleet.Serial
	Time   time.Time
	Reason string       // the registry's word
	Issuer fleet.Digest // its CA's; zero: the site's first CA
	Final  bool         // its board was revoked, and has got no other one in its place
}

// Reasons of RFC 5280, 5.3.1.
const (
	unspecified          = 0
	keyCompromise        = 1
	superseded           = 4
	cessationOfOperation = 5
)

// reasonCodes are those of the reasons for which a board is revoked. Any other
// word has none.
var reasonCodes = map[string]int{
	"lost":        keyCompromise,
	"stolen":      keyCompromise,
	compromised:   keyCompromise,
	"retired":     cessationOfOperation,
	rotatedBefore: cessationOfOperation,
}

// The words for what a CRL alone tells, and for the older credential of a board
// that was rotated before it was revoked.
const (
	compromised   = "compromised"
	rotatedBefore = "rotated"
)

// ReasonCode returns what RFC 5280 calls the reason. A certificate that was
// replaced by another is superseded, whatever became of it, and no other one is:
// so a CRL tells which boards are revoked. Zero, unspecified, stands for a word
// that RFC 5280 has no code for.
func (r Revocation) ReasonCode() int {
	if !r.Final {
		return superseded
	}
	return reasonCodes[r.Reason]
}

// revocationOf reads what ReasonCode has written.
func revocationOf(e x509.RevocationListEntry) (r Revocation, err error) {
	if e.SerialNumber.Sign() <= 0 || e.SerialNumber.BitLen() > 8*len(r.Serial) {
		return r, fmt.Errorf("serial %x is none of a board", e.SerialNumber)
	}
	e.SerialNumber.FillBytes(r.Serial[:])
	r.Time, r.Final = e.RevocationTime, e.ReasonCode != superseded
	switch e.ReasonCode {
	case superseded:
		r.Reason = rotatedBefore
	case keyCompromise:
		r.Reason = compromised
	case cessationOfOperation:
		r.Reason = "retired"
	default:
		r.Reason = "unspecified"
	}
	return r, nil
}

// CRL renders the revocations as the CRL with the given number, in DER, and
// says which thisUpdate it bears: previous + 1 s, or an hour before now when
// that is later. previous is the thisUpdate of the CRL before, zero when there
// was none.
//
// So two CRLs never bear one date, and a clock that is slow by an hour does not
// take a CRL for one from the future, upon which RADIUS servers lock every board
// out. For the same reason a clock that stands before previous, or before this
// program was written, is refused. The CRL has no end: one that ran out would
// lock every board out too.
//
// The order of list does not matter; a serial number twice is refused. With a
// key in memory, the same arguments give the same bytes: signatures are
// deterministic (RFC 6979). A signer elsewhere may sign differently each time.
//
// about, URIs of printable ASCII, stand in the CRL as further names of its
// issuer (RFC 5280, 5.2.2): a place where what else is true of that moment is
// written down where many will keep it.
func (a *Authority) CRL(list []Revocation, number uint64, previous, now time.Time, about ...string) (der []byte, thisUpdate time.Time, err error) {
	if err := a.ready(now); err != nil {
		return nil, time.Time{}, err
	}
	thisUpdate, err = dateAfter(previous, now)
	if err != nil {
		return nil, time.Time{}, a.errorf("CRL %d: %w", number, err)
	}
	entries, err := crlEntries(list)
	if err != nil {
		return nil, time.Time{}, a.errorf("CRL %d: %w", number, err)
	}
	extra, err := issuerNames(about)
	if err != nil {
		return nil, time.Time{}, a.errorf("CRL %d: %w", number, err)
	}
	der, err = x509.CreateRevocationList(nil, &x509.RevocationList{
		RevokedCertificateEntries: entries,
		Number:                    new(big.Int).SetUint64(number),
		ThisUpdate:                thisUpdate,
		NextUpdate:                never,
		ExtraExtensions:           extra,
	}, a.CA, a.key)
	if err != nil {
		return nil, time.Time{}, a.errorf("CRL %d: %w", number, err)
	}
	return der, thisUpdate, nil
}

// issuerAltName is RFC 5280's extension for further names of an issuer.
var issuerAltName = asn1.ObjectIdentifier{2, 5, 29, 18}

// issuerNames renders URIs as the issuer's alternative names; none, no extension.
func issuerNames(uris []string) ([]pkix.Extension, error) {
	if len(uris) == 0 {
		return nil, nil
	}
	names := make([]asn1.RawValue, len(uris))
	for i, uri := range uris {
		if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("URI %q: want printable ASCII", uri)
		}
		names[i] = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}
	}
	value, err := asn1.Marshal(names)
	return []pkix.Extension{{Id: issuerAltName, Value: value}}, err
}

// dateAfter dates the CRL that follows one of the time previous.
func dateAfter(previous, now time.Time) (time.Time, error) {
	at := now.Add(-time.Hour)
	if after := previous.Add(time.Second); at.Before(after) {
		at = after
	}
	at = at.UTC().Truncate(time.Second)
	if at.After(now) {
		return time.Time{}, fmt.Errorf("the clock says %s, but the CRL before is of %s",
			now.UTC().Format(time.DateTime), previous.UTC().Format(time.DateTime))
	}
	return at, nil
}

// crlEntries sorts list by serial number and encodes its reasons.
func crlEntries(list []Revocation) ([]x509.RevocationListEntry, error) {
	entries := make([]x509.RevocationListEntry, len(list))
	for i, r := range list {
		entries[i] = x509.RevocationListEntry{
			SerialNumber:   new(big.Int).SetBytes(r.Serial[:]),
			RevocationTime: r.Time.UTC().Truncate(time.Second),
			ReasonCode:     r.ReasonCode(),
		}
	}
	bySerial := func(x, y x509.RevocationListEntry) int { return x.SerialNumber.Cmp(y.SerialNumber) }
	slices.SortFunc(entries, bySerial)
	for i := 1; i < len(entries); i++ {
		if bySerial(entries[i-1], entries[i]) == 0 {
			return nil, fmt.Errorf("serial %x stands twice", entries[i].SerialNumber)
		}
	}
	return entries, nil
}
