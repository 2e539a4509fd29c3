//go:build linux

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// measureRivals adds to both rivals' paces.
func (e *enrolment) measureRivals() error {
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for _, r := range []struct {
		into *pace
		one  func(*ecdsa.PrivateKey) error
	}{{&e.Certificates, keyAndCertificate}, {&e.Signatures, keyAndSignature}} {
		p, err := timed(func() (int, error) { return onAllCores(rivalTime, func() error { return r.one(ca) }) })
		if err != nil {
			return err
		}
		r.into.add(p)
	}
	return nil
}

// onAllCores calls do again and again for so long, and returns how often.
func onAllCores(long time.Duration, do func() error) (int, error) {
	var g errgroup.Group
	var done atomic.Int64
	end := time.Now().Add(long)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for time.Now().Before(end) {
				if err := do(); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return int(done.Load()), err
}

// keyAndSignature is what issuing cannot do without.
func keyAndSignature(ca *ecdsa.PrivateKey) error {
	if _, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("a certificate"))
	_, err := ecdsa.SignASN1(rand.Reader, ca, digest[:])
	return err
}

// keyAndCertificate is how the standard library issues a certificate.
func keyAndCertificate(ca *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1 << 40), Subject: pkix.Name{CommonName: "246f28aa1002"},
		NotAfter: time.Now(), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	_, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, crypto.Signer(ca))
	return err
}
