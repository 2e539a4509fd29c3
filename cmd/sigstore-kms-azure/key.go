package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"go.step.sm/crypto/kms/apiv1"
	"go.step.sm/crypto/kms/azurekms"
	"go.step.sm/crypto/kms/uri"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

var (
	vaultName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$`) // it becomes part of a host's name
	keyName   = regexp.MustCompile(`^[A-Za-z0-9-]{1,127}$`)
	version   = regexp.MustCompile(`^[0-9a-f]{0,32}$`)
)

func open(text string) (helper.Key, error) {
	values, err := helper.Attributes("azure", text, "vault", "name", "version", "environment", "hsm")
	if err != nil {
		return nil, err
	}
	switch {
	case !vaultName.MatchString(values["vault"]):
		return nil, errors.New("key URI: vault: want the name of a vault, 3 to 24 letters, digits and '-'")
	case !keyName.MatchString(values["name"]):
		return nil, errors.New("key URI: name: want letters, digits and '-'")
	case !version.MatchString(values["version"]):
		return nil, errors.New("key URI: version: want up to 32 hex digits")
	case !slices.Contains([]string{"", "public", "usgov", "china"}, values["environment"]):
		return nil, errors.New("key URI: environment: want public, usgov or china")
	case values["hsm"] != "" && values["hsm"] != "true":
		return nil, errors.New("key URI: hsm: want true, or nothing of it")
	}
	return helper.StepKey{
		Connect: func(ctx context.Context) (apiv1.KeyManager, error) {
			store, err := azurekms.New(ctx, apiv1.Options{URI: uriOf(values, "environment")})
			return session{store, values["version"]}, err
		},
		Name:     uriOf(values, "vault", "name", "version", "hsm"),
		Missing:  isMissing,
		HashSalt: true,
	}, nil
}

// uriOf is what the library below knows a vault or a key by.
func uriOf(values map[string]string, names ...string) string {
	known := url.Values{}
	for _, name := range names {
		if values[name] != "" {
			known.Set(name, values[name])
		}
	}
	return uri.New(azurekms.Scheme, known).String()
}

func isMissing(err error) bool {
	answer := new(azcore.ResponseError)
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// A session is a vault, of which one version of a key is wanted.
type session struct {
	*azurekms.KeyVault
	version string
}

func (s session) CreateKey(r *apiv1.CreateKeyRequest) (*apiv1.CreateKeyResponse, error) {
	if s.version != "" {
		return nil, errors.New("a new key is given its version by Azure: want none")
	}
	return s.KeyVault.CreateKey(r)
}
