package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"go.step.sm/crypto/kms/apiv1"
	"go.step.sm/crypto/kms/cloudkms"
	"go.step.sm/crypto/kms/uri"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// A connector opens the service, as whom the file says; "" for whom the
// environment says.
type connector func(ctx context.Context, credentials string) (*cloudkms.CloudKMS, error)

func connect(ctx context.Context, credentials string) (*cloudkms.CloudKMS, error) {
	values := url.Values{}
	if credentials != "" {
		values.Set("credentials-file", credentials)
	}
	return cloudkms.New(ctx, apiv1.Options{URI: uri.New(cloudkms.Scheme, values).String()})
}

func program(c connector) helper.Program {
	return helper.Program{Name: "sigstore-kms-gcp", Open: func(text string) (helper.Key, error) { return open(text, c) }}
}

const part = `[A-Za-z0-9_.:-]{1,63}`

var resource = regexp.MustCompile(`^projects/` + part + `/locations/` + part + `/keyRings/` + part + `/cryptoKeys/` + part + `/cryptoKeyVersions/[1-9][0-9]{0,8}$`)

func open(text string, c connector) (helper.Key, error) {
	values, err := helper.Attributes("gcp", text, "resource", "credentials-file")
	if err != nil {
		return nil, err
	}
	name, file := values["resource"], values["credentials-file"]
	switch {
	case !resource.MatchString(name):
		return nil, errors.New("key URI: resource: want projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N")
	case file != "" && !helper.IsClean(file):
		return nil, errors.New("key URI: credentials-file: want an absolute path")
	}
	key, version, _ := strings.Cut(name, "/cryptoKeyVersions/")
	return helper.StepKey{
		Connect: func(ctx context.Context) (apiv1.KeyManager, error) {
			store, err := c(ctx, file)
			return session{store, version}, err
		},
		Name:     name,
		NewName:  key,
		Missing:  func(err error) bool { return status.Code(cause(err)) == codes.NotFound },
		HashSalt: true,
	}, nil
}

// cause is what the service said: the library below wraps it in its own way.
func cause(err error) error {
	for {
		inner, ok := err.(interface{ Cause() error })
		if !ok {
			return err
		}
		err = inner.Cause()
	}
}

// A session is the service, of which one version of a key is wanted.
type session struct {
	*cloudkms.CloudKMS
	version string
}

func (s session) CreateKey(r *apiv1.CreateKeyRequest) (*apiv1.CreateKeyResponse, error) {
	if s.version != "1" {
		return nil, errors.New("a new key has version 1")
	}
	made, err := s.CloudKMS.CreateKey(r)
	if err == nil && !strings.HasSuffix(made.Name, r.Name+"/cryptoKeyVersions/1") {
		return nil, errors.New("the key was there already, and has another version now")
	}
	return made, err
}

func (s session) CreateSigner(r *apiv1.CreateSignerRequest) (crypto.Signer, error) {
	signer, err := s.CloudKMS.CreateSigner(r)
	if err != nil {
		return nil, err
	}
	return oneWay{signer.(*cloudkms.Signer)}, nil
}

// A oneWay is a key that signs by one algorithm, whatever it is asked for.
type oneWay struct{ *cloudkms.Signer }

func (k oneWay) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	_, wanted := opts.(*rsa.PSSOptions)
	if has := isPSS(k.SignatureAlgorithm()); wanted != has {
		return nil, fmt.Errorf("the key signs by %v, and by nothing else", k.SignatureAlgorithm())
	}
	return k.Signer.Sign(random, digest, opts)
}

func isPSS(a x509.SignatureAlgorithm) bool {
	return a == x509.SHA256WithRSAPSS || a == x509.SHA384WithRSAPSS || a == x509.SHA512WithRSAPSS
}
