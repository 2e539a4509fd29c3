package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

const maxToken = 4 << 10 // bytes

// connect makes a client, which has not spoken to the server yet.
func (k key) connect() (*api.Client, error) {
	config := api.DefaultConfig() // of the environment
	if config.Error != nil {
		return nil, config.Error
	}
	if err := checkAddress(config.Address); err != nil {
		return nil, err
	}
	client, err := api.NewClient(config)
	if err != nil || k.tokenFile == "" {
		return client, err
	}
	token, err := helper.OpenSecret(k.tokenFile, maxToken)
	if err != nil {
		return nil, fmt.Errorf("token-source: %w", err)
	}
	client.SetToken(token.Text)
	return client, token.Close()
}

var errMissing = errors.New("no such key")

func (k key) Public(ctx context.Context) (crypto.PublicKey, error) {
	client, err := k.connect()
	if err != nil {
		return nil, err
	}
	return k.public(ctx, client)
}

func (k key) public(ctx context.Context, client *api.Client) (crypto.PublicKey, error) {
	secret, err := client.Logical().ReadWithContext(ctx, k.mount+"/keys/"+k.name)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return nil, errMissing
	}
	versions, _ := secret.Data["keys"].(map[string]any)
	version, ok := versions[strconv.Itoa(k.version)].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the key has no version %d", k.version)
	}
	text, _ := version["public_key"].(string)
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the key has no public half")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return public, helper.CheckKind(public)
}

var hashNames = map[crypto.Hash]string{crypto.SHA256: "sha2-256", crypto.SHA384: "sha2-384", crypto.SHA512: "sha2-512"}

func (k key) Sign(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	client, err := k.connect()
	if err != nil {
		return nil, err
	}
	public, err := k.public(ctx, client)
	if err != nil {
		return nil, err
	}
	if err := helper.CheckOptions(public, opts); err != nil {
		return nil, err
	}
	secret, err := client.Logical().WriteWithContext(ctx, k.mount+"/sign/"+k.name+"/"+hashNames[opts.HashFunc()], k.request(digest, opts))
	if err != nil {
		return nil, err
	}
	return k.signature(secret)
}

func (k key) request(digest []byte, opts crypto.SignerOpts) map[string]any {
	request := map[string]any{
		"input":                base64.StdEncoding.EncodeToString(digest),
		"prehashed":            true,
		"key_version":          k.version,
		"marshaling_algorithm": "asn1",
		"signature_algorithm":  "pkcs1v15",
	}
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		request["signature_algorithm"], request["salt_length"] = "pss", strconv.Itoa(pss.SaltLength)
	}
	return request
}

// signature takes "vault:v1:BASE64" apart.
func (k key) signature(secret *api.Secret) ([]byte, error) {
	if secret == nil {
		return nil, errors.New("the server answers without a signature")
	}
	text, _ := secret.Data["signature"].(string)
	text, ok := strings.CutPrefix(text, fmt.Sprintf("vault:v%d:", k.version))
	if !ok {
		return nil, fmt.Errorf("the server answers without a signature of version %d", k.version)
	}
	return base64.StdEncoding.DecodeString(text)
}

// types are what Vault calls the kinds of keys.
var types = map[string]string{
	"ecdsa-sha2-256-nistp256":    "ecdsa-p256",
	"ecdsa-sha2-384-nistp384":    "ecdsa-p384",
	"rsa-sign-pkcs1-2048-sha256": "rsa-2048",
	"rsa-sign-pkcs1-3072-sha256": "rsa-3072",
	"rsa-sign-pss-2048-sha256":   "rsa-2048",
	"rsa-sign-pss-3072-sha256":   "rsa-3072",
}

func (k key) Create(ctx context.Context, a helper.Algorithm) (crypto.PublicKey, error) {
	if k.version != 1 {
		return nil, errors.New("a new key has version 1")
	}
	client, err := k.connect()
	if err != nil {
		return nil, err
	}
	if _, err := k.public(ctx, client); err == nil {
		return nil, helper.ErrThere
	} else if !errors.Is(err, errMissing) {
		return nil, err
	}
	if _, err := client.Logical().WriteWithContext(ctx, k.mount+"/keys/"+k.name, map[string]any{"type": types[a.Name]}); err != nil {
		return nil, err
	}
	return k.public(ctx, client)
}
