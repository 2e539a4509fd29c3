package helper_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"go.step.sm/crypto/kms/apiv1"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

// A memory is a key store.
type memory map[string]crypto.Signer

var errMissing = errors.New("no such key")

func (m memory) GetPublicKey(r *apiv1.GetPublicKeyRequest) (crypto.PublicKey, error) {
	key, ok := m[r.Name]
	if !ok {
		return nil, errMissing
	}
	return key.Public(), nil
}

func (m memory) CreateKey(r *apiv1.CreateKeyRequest) (*apiv1.CreateKeyResponse, error) {
	curves := map[apiv1.SignatureAlgorithm]elliptic.Curve{apiv1.ECDSAWithSHA256: elliptic.P256(), apiv1.ECDSAWithSHA384: elliptic.P384()}
	var key crypto.Signer
	var err error
	if curve := curves[r.SignatureAlgorithm]; curve != nil {
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, r.Bits)
	}
	if err != nil {
		return nil, err
	}
	m[r.Name] = key
	return &apiv1.CreateKeyResponse{PublicKey: key.Public()}, nil
}

func (m memory) CreateSigner(r *apiv1.CreateSignerRequest) (crypto.Signer, error) {
	key, ok := m[r.SigningKey]
	if !ok {
		return nil, errMissing
	}
	return key, nil
}

func (memory) Close() error { return nil }

func (m memory) asker() helpertest.Asker {
	return helpertest.Asker{Program: helper.Program{Name: "sigstore-kms-memory", Open: func(name string) (helper.Key, error) {
		values, err := helper.Attributes("memory", name, "name")
		return helper.StepKey{
			Connect: func(context.Context) (apiv1.KeyManager, error) { return m, nil },
			Name:    values["name"],
			Missing: func(err error) bool { return errors.Is(err, errMissing) },
		}, err
	}}}
}

func TestMemory(t *testing.T) {
	c := helpertest.Contract{Asker: memory{}.asker(), Key: func(a string) string { return "name=" + a }, AnySalt: true}
	c.Check(t)
}

// A key of a kind that nothing here checks is not used, whoever made it.
func TestAKeyOfAnotherKind(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if answer := (memory{"a": other}).asker().Public(t, "name=a"); answer.ErrorMessage != "the key is not of the kinds P-256, P-384 and RSA with 2048 or 3072 bits" {
		t.Errorf("got %q", answer.ErrorMessage)
	}
}

// A store of which nobody knows why it refused is not written to.
func TestCreateWhereNothingCanBeTold(t *testing.T) {
	m := memory{}
	key := helper.StepKey{
		Connect: func(context.Context) (apiv1.KeyManager, error) { return m, nil },
		Name:    "a",
		Missing: func(error) bool { return false },
	}
	if _, err := key.Create(t.Context(), helper.Algorithms()[0]); !errors.Is(err, errMissing) || len(m) > 0 {
		t.Errorf("%v, and %d keys", err, len(m))
	}
}
