package main

import (
	"testing"

	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// Loaders are built by one table of signature schemes, images are signed by
// another, because neither package knows the other. The two must say the same.
func TestLoadersCheckWhatReleasesSign(t *testing.T) {
	for _, name := range fleet.ChipNames() {
		chip := fleet.Chip(name)
		for _, revision := range []uint16{0, 1, 100, 300} {
			for _, scheme := range []espimage.Scheme{espimage.V1, espimage.RSA3072, espimage.P256, espimage.P384, "", "rsa"} {
				options, built := delivery.LoaderOptions(chip, revision, string(scheme), 1)
				signed := espimage.Allowed(chip, revision, scheme)
				if (built == nil) != (signed == nil) || built == nil && len(options) == 0 {
					t.Errorf("%s from revision %d, %s: a loader: %v; a release: %v", chip, revision, scheme, built, signed)
				}
			}
			if scheme, err := espimage.SchemeFor(chip, revision); err == nil {
				if _, err := delivery.LoaderOptions(chip, revision, string(scheme), 1); err != nil {
					t.Errorf("%s from revision %d: no loader checks the scheme that releases get: %v", chip, revision, err)
				}
			}
		}
	}
}
