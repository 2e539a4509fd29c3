package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// The aim is 0.7 of the rate of BenchmarkGenerateAndSign, on all cores.
func BenchmarkIssueBoard(b *testing.B) {
	a := newTestAuthority(b, Boards, custody.P256)
	m, now := fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 0x02}, time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := a.IssueBoard(m, now); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What no issuing can do without: the board's key, and a signature.
func BenchmarkGenerateAndSign(b *testing.B) {
	ca, err := custody.Generate(custody.P256)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("a certificate"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
				b.Fatal(err)
			}
			if _, err := ecdsa.SignASN1(rand.Reader, ca.(*ecdsa.PrivateKey), digest[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
