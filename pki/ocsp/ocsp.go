// Package ocsp answers, over HTTP, whether the certificate of a board still
// admits (RFC 6960). It is for relying parties that know nothing of tcpboot: the
// RADIUS configuration that we write asks the list of live credentials and
// nobody else, so that no responder can lock boards out by being away.
//
// Each answer comes from the registry at the moment of the question:
//
//	good      the certificate is one that admits
//	revoked   it was, and no longer is; with the time and reason
//	unknown   no certificate with that serial number was ever given to a board
//	          that was admitted
//
// Whatever goes wrong, no answer is signed: the asker gets an OCSP error, which
// says nothing about the certificate. A relying party that takes such an error,
// or silence, for "good" (softfail in FreeRADIUS) lets in who was revoked; none
// should.
//
// An answer is signed by a delegated responder (pki.Authority.IssueResponder),
// not by the CA, whose key need not be here. It is good for [Validity]: that is
// for how long somebody in the middle can repeat it. A nonce is not returned
// (RFC 6960 leaves that open), so a relying party must not insist on one:
// use_nonce = no in FreeRADIUS.
//
// Questions come as POST with the request as body, or as GET with it in base64 as
// the path. The handler takes the whole path for itself; mount it without a
// ServeMux, which would tidy up the slashes of base64.
package ocsp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Validity is from the thisUpdate of an answer to its nextUpdate.
const Validity = 5 * time.Minute

// maxRequest bounds a request in DER; one about a single certificate takes some
// hundred bytes.
const maxRequest = 2048

// A Registry knows every certificate that a board was ever given.
type Registry interface {
	// Revocation returns nil for a certificate that admits, or when and why it
	// ceased to. The error wraps fleet.ErrUnknown for one that was never issued,
	// or whose board is not active yet.
	Revocation(ctx context.Context, serial fleet.Serial) (*pki.Revocation, error)
}

// A Signer answers for the certificates of one CA.
type Signer struct {
	CA          *x509.Certificate // that issued the boards' certificates
	Certificate *x509.Certificate // of the responder, by that CA
	Key         crypto.Signer     // of the responder
}

// A Responder is the http.Handler. While the boards CA is renewed it has two
// Signers.
type Responder struct {
	registry Registry
	signers  []Signer
	now      func() time.Time
	log      *slog.Logger
}

// New makes a Responder. It refuses a signer whose key and certificates do not
// belong together. log gets what went wrong, but not what askers did wrong.
func New(r Registry, now func() time.Time, log *slog.Logger, signers ...Signer) (*Responder, error) {
	if len(signers) == 0 {
		return nil, errors.New("OCSP responder: no signer")
	}
	for _, s := range signers {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("OCSP responder: %w", err)
		}
	}
	return &Responder{r, signers, now, log}, nil
}

func (s Signer) check() error {
	key, ok := s.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !key.Equal(s.Certificate.PublicKey):
		return errors.New("the key is not that of the certificate")
	case !slices.Contains(s.Certificate.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("the certificate is not one for OCSP (extended key usage)")
	}
	if err := s.Certificate.CheckSignatureFrom(s.CA); err != nil {
		return fmt.Errorf("the certificate is not by the boards CA: %w", err)
	}
	return nil
}

// ServeHTTP answers one question.
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	der, status := read(w, req)
	if status != http.StatusOK {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, POST")
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(r.answer(req.Context(), der)) // an asker who is gone needs no answer
}

// read returns the request in DER, or the status that refuses what is none.
func read(w http.ResponseWriter, req *http.Request) (der []byte, status int) {
	var err error
	switch req.Method {
	case http.MethodGet:
		path := strings.TrimPrefix(req.URL.Path, "/")
		if len(path) > base64.StdEncoding.EncodedLen(maxRequest) {
			return nil, http.StatusRequestURITooLong
		}
		der, err = base64.StdEncoding.DecodeString(path)
	case http.MethodPost:
		if req.Header.Get("Content-Type") != "application/ocsp-request" {
			return nil, http.StatusUnsupportedMediaType
		}
		der, err = io.ReadAll(http.MaxBytesReader(w, req.Body, maxRequest))
	default:
		return nil, http.StatusMethodNotAllowed
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return nil, http.StatusBadRequest
	}
	return der, http.StatusOK
}

// answer returns the answer in DER: signed, or an error of OCSP.
func (r *Responder) answer(ctx context.Context, der []byte) []byte {
	question, err := ocsp.ParseRequest(der)
	if err != nil || question.SerialNumber == nil {
		return ocsp.MalformedRequestErrorResponse
	}
	s, ok := r.signerFor(question)
	if !ok {
		return ocsp.UnauthorizedErrorResponse
	}
	now := r.now().UTC().Truncate(time.Second)
	signed, err := r.sign(ctx, s, question, now)
	if err != nil {
		r.log.Error("no OCSP answer", "serial", fmt.Sprintf("%x", question.SerialNumber), "error", err)
		return ocsp.TryLaterErrorResponse
	}
	return signed
}

// sign looks the certificate up and signs what is known of it.
func (r *Responder) sign(ctx context.Context, s Signer, question *ocsp.Request, now time.Time) ([]byte, error) {
	if end := s.Certificate.NotAfter; now.Add(Validity).After(end) {
		return nil, fmt.Errorf("the responder's certificate ends %s", end.Format(time.DateTime))
	}
	a, err := r.status(ctx, question.SerialNumber)
	if err != nil {
		return nil, err
	}
	a.SerialNumber = question.SerialNumber
	a.IssuerHash = question.HashAlgorithm
	a.Certificate = s.Certificate
	a.ThisUpdate, a.NextUpdate = now, now.Add(Validity)
	return ocsp.CreateResponse(s.CA, s.Certificate, a, s.Key)
}

// status asks the registry.
func (r *Responder) status(ctx context.Context, serial *big.Int) (ocsp.Response, error) {
	n := pki.SerialOf(&x509.Certificate{SerialNumber: serial})
	if n == (fleet.Serial{}) { // none of ours
		return ocsp.Response{Status: ocsp.Unknown}, nil
	}
	end, err := r.registry.Revocation(ctx, n)
	switch {
	case errors.Is(err, fleet.ErrUnknown):
		return ocsp.Response{Status: ocsp.Unknown}, nil
	case err != nil:
		return ocsp.Response{}, err
	case end != nil:
		return ocsp.Response{Status: ocsp.Revoked, RevokedAt: end.Time.Truncate(time.Second), RevocationReason: end.ReasonCode()}, nil
	}
	return ocsp.Response{Status: ocsp.Good}, nil
}

// signerFor finds the signer for the CA that the question names by hashes of its
// name and key.
func (r *Responder) signerFor(q *ocsp.Request) (Signer, bool) {
	if !q.HashAlgorithm.Available() {
		return Signer{}, false
	}
	for _, s := range r.signers {
		var spki struct {
			Algorithm asn1.RawValue
			Key       asn1.BitString
		}
		if _, err := asn1.Unmarshal(s.CA.RawSubjectPublicKeyInfo, &spki); err != nil {
			continue
		}
		if bytes.Equal(q.IssuerNameHash, hash(q.HashAlgorithm, s.CA.RawSubject)) &&
			bytes.Equal(q.IssuerKeyHash, hash(q.HashAlgorithm, spki.Key.RightAlign())) {
			return s, true
		}
	}
	return Signer{}, false
}

func hash(h crypto.Hash, b []byte) []byte {
	sum := h.New()
	sum.Write(b)
	return sum.Sum(nil)
}
