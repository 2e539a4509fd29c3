package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.step.sm/crypto/kms/apiv1"
	"go.step.sm/crypto/kms/pkcs11"
	"go.step.sm/crypto/kms/uri"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// open reads the name of a key in a token, which is opened for each question that
// needs it.
func open(name string) (helper.Key, error) {
	key, err := parseKey(name)
	if err != nil {
		return nil, err
	}
	return helper.StepKey{Connect: key.connect, Name: key.name(), Missing: isMissing}, nil
}

const maxPIN = 256 // bytes

// A session is a token that we are logged in to.
type session struct {
	*pkcs11.PKCS11
	key keyURI
	pin *helper.Secret // nil without login
}

// Close logs out, then lets the next process in.
func (s *session) Close() error {
	err := s.PKCS11.Close()
	if s.pin != nil {
		s.pin.Close()
	}
	return err
}

// connect logs in to the token. Processes that do so with one PIN take turns: a
// login changes the token, and SoftHSM, for one, fails when it finds a token that
// another process is changing.
func (k keyURI) connect(ctx context.Context) (apiv1.KeyManager, error) {
	if err := checkModule(k.module); err != nil {
		return nil, err
	}
	options := apiv1.Options{Type: apiv1.PKCS11, URI: k.tokenName()}
	if k.pinFile == "" {
		p, err := pkcs11.New(ctx, options)
		return &session{p, k, nil}, err
	}
	pin, err := helper.OpenSecret(k.pinFile, maxPIN)
	if err != nil {
		return nil, fmt.Errorf("pin-source: %w", err)
	}
	options.Pin = pin.Text
	p, err := pkcs11.New(ctx, options)
	if err != nil {
		pin.Close()
		return nil, err
	}
	return &session{p, k, pin}, nil
}

// tokenName is what the library below knows the token by.
func (k keyURI) tokenName() string {
	values := url.Values{"module-path": {k.module}}
	for name, value := range map[string]string{"token": k.token, "serial": k.serial, "slot-id": k.slot} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return uri.New(pkcs11.Scheme, values).String()
}

// name is what the library below knows the key by.
func (k keyURI) name() string { return objectName(k.id, k.object) }

func objectName(id []byte, object string) string {
	values := url.Values{}
	if id != nil {
		values.Set("id", hex.EncodeToString(id))
	}
	if object != "" {
		values.Set("object", object)
	}
	return uri.New(pkcs11.Scheme, values).String()
}

// CreateKey makes a key in the token. It refuses a label and an identifier that
// a key there has already: a URI that names either would name two keys.
func (s *session) CreateKey(r *apiv1.CreateKeyRequest) (*apiv1.CreateKeyResponse, error) {
	if s.key.id == nil || s.key.object == "" {
		return nil, errors.New("a new key wants both an object and an id in its URI")
	}
	for _, name := range []string{objectName(s.key.id, ""), objectName(nil, s.key.object)} {
		_, err := s.GetPublicKey(&apiv1.GetPublicKeyRequest{Name: name})
		if err == nil {
			return nil, errors.New("the token has a key of that id or object already")
		}
		if !isMissing(err) {
			return nil, err
		}
	}
	return s.PKCS11.CreateKey(r)
}

// isMissing tells that there is no such key. The library below has a type for
// it, and does not use it everywhere.
func isMissing(err error) bool {
	return errors.Is(err, apiv1.NotFoundError{}) || strings.HasSuffix(err.Error(), " not found")
}
