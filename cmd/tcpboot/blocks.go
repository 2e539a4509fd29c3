package main

import (
	"crypto/ecdsa"
	"fmt"
	"io"
	"slices"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// An imageSignature is one signature that an image bears. Boards that check updates in
// software look at block 0 alone.
type imageSignature struct {
	Block  int             `json:"block"`
	Scheme espimage.Scheme `json:"scheme"`
	Key    fleet.Digest    `json:"key,omitzero"` // as chips know it; a V1 signature names none
	Name   string          `json:"name"`         // of the site's key; empty: it is none of them
}

// signaturesOf lists the signatures of a release's image, as far as it is at hand.
func (s *session) signaturesOf(r releaseRow) ([]imageSignature, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	whole, err := layout.Layout.Load(s.ctx(), r.Digest) // what is in a registry alone is not got for this
	if err != nil {
		return []imageSignature{}, nil // verify says what is wrong with it
	}
	image := whole.Images[release.AppComponent]
	im, err := espimage.Parse(image)
	if err != nil {
		return []imageSignature{}, nil
	}
	if len(image) == espimage.SignedSize(im.Length, espimage.V1) {
		return []imageSignature{s.signatureV1(image)}, nil
	}
	report, err := espimage.Inspect(image)
	if err != nil {
		return []imageSignature{}, nil
	}
	all := []imageSignature{}
	for _, b := range report.Blocks {
		all = append(all, imageSignature{b.Position, b.Scheme, b.Key, s.appKeyWith(b.Key)})
	}
	return all, nil
}

func (s *session) signatureV1(image []byte) imageSignature {
	for _, k := range s.appKeys() {
		public, err := s.public(k.name)
		key, isECDSA := public.(*ecdsa.PublicKey)
		if err != nil || !isECDSA || k.kind != custody.P256 {
			continue
		}
		if _, err := espimage.VerifyV1(image, key); err == nil {
			return imageSignature{Scheme: espimage.V1, Name: k.name}
		}
	}
	return imageSignature{Scheme: espimage.V1}
}

// appKeyWith names the image key that chips know by d; "" where there is none.
func (s *session) appKeyWith(d fleet.Digest) string {
	for _, name := range s.appNames() {
		if has, err := s.appDigest(name); err == nil && has == d {
			return name
		}
	}
	return ""
}

// appKeys are the site's image keys.
func (s *session) appKeys() []siteKey {
	var all []siteKey
	for _, k := range slices.Concat(siteKeys, s.furtherKeys()) {
		if k.role != custody.App || k == mcubootKey {
			continue
		}
		all = append(all, k)
		for _, name := range s.formerApps(k.name) {
			former, _ := formerAppKey(name)
			all = append(all, former)
		}
	}
	return all
}

func signaturesText(w io.Writer, all []imageSignature) {
	for _, b := range all {
		by := b.Name
		if by == "" {
			by = "a key that is not the site's"
		}
		if b.Scheme == espimage.V1 {
			fmt.Fprintf(w, "%-10s v1, by %s\n", "signature", by)
			continue
		}
		fmt.Fprintf(w, "%-10s block %d: %s, by %s (%s)\n", "signature", b.Block, b.Scheme, by, b.Key)
	}
}
