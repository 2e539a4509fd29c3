package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// TestIssuersNamed rotates the RADIUS CA twice. A board that follows the site
// documents from the first on takes the CA in force for the issuer, and the one
// before it, whose certificate a server may bear until it is restarted.
func TestIssuersNamed(t *testing.T) {
	t.Parallel()
	dir, env := newSite(t)
	issuers := []fleet.Digest{issuerIn(t, dir, "radius-ca")}
	servers := issuerIn(t, dir, "servers-ca")
	for range 2 {
		mustRun(t, env, "key", "rotate", "radius-ca", "--code-file", filepath.Join(dir, recoveryCode))
		issuers = append(issuers, issuerIn(t, dir, "radius-ca"))
	}
	for epoch := 1; epoch <= 3; epoch++ {
		doc := followed(t, dir, epoch)
		want := slices.Clone(issuers[max(epoch-2, 0):epoch])
		if !sameSet(doc.EAPIssuers, want) || !sameSet(doc.TLSIssuers, []fleet.Digest{servers}) {
			t.Errorf("epoch %d names %v and %v, want %v and %v", epoch, doc.EAPIssuers, doc.TLSIssuers, want, servers)
		}
	}
}

func issuerIn(t *testing.T, dir, name string) fleet.Digest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "certs", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	return pki.IssuerOf(c)
}

// followed is the document of an epoch as a board has it that knows the root.
func followed(t *testing.T, dir string, epoch int) *sitedoc.Doc {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "certs", "release-root.pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := sign.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	var signed [][]byte
	for n := 1; n <= epoch; n++ {
		text, err := os.ReadFile(filepath.Join(dir, "sitedocs", fmt.Sprintf("%d.cose", n)))
		if err != nil {
			t.Fatal(err)
		}
		signed = append(signed, text)
	}
	doc, err := sitedoc.Chain(sitedoc.Roots{Keys: []cose.Key{root}, Threshold: 1}, signed...)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func sameSet(a, b []fleet.Digest) bool {
	hex := func(list []fleet.Digest) (s []string) {
		for _, d := range list {
			s = append(s, d.Hex())
		}
		slices.Sort(s)
		return s
	}
	return slices.Equal(hex(a), hex(b))
}
