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
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// measureRivals adds to the rivals' paces.
func (e *enrolment) measureRivals(dir string) error {
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for _, r := range []struct {
		into *pace
		all  func() (int, error)
	}{
		{&e.Certificates, func() (int, error) { return onAllCores(func() error { return keyAndCertificate(ca) }) }},
		{&e.Signatures, func() (int, error) { return onAllCores(func() error { return keyAndSignature(ca) }) }},
		{&e.Files, func() (int, error) { return bareFiles(dir) }},
	} {
		p, err := timed(r.all)
		if err != nil {
			return err
		}
		r.into.add(p)
	}
	return nil
}

// bareFiles writes files as large as those of a delivery, in folders as deep,
// without names to take care of, and syncs them together.
func bareFiles(dir string) (int, error) {
	root, err := os.MkdirTemp(dir, "bare-")
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	boards, err := onAllCores(func() error {
		board := filepath.Join(root, strconv.FormatInt(next.Add(1), 10))
		if err := os.MkdirAll(filepath.Join(board, "main"), 0o700); err != nil {
			return err
		}
		for name, size := range map[string]int{"sdkconfig.defaults": 300, "main/ca": 600, "main/crt": 750, "main/key": 240} {
			if err := os.WriteFile(filepath.Join(board, name), make([]byte, size), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	f, err := os.Open(root)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return boards, unix.Syncfs(int(f.Fd()))
}

// onAllCores calls do again and again for a while, and returns how often.
func onAllCores(do func() error) (int, error) {
	var g errgroup.Group
	var done atomic.Int64
	end := time.Now().Add(rivalTime)
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
