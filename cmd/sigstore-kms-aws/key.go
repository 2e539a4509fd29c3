package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// A key is one key, by any of its names.
type key struct{ id, region, profile, file string }

func open(text string) (helper.Key, error) {
	values, err := helper.Attributes("aws", text, "key-id", "region", "profile", "credentials-file")
	if err != nil {
		return nil, err
	}
	k := key{values["key-id"], values["region"], values["profile"], values["credentials-file"]}
	switch {
	case k.id == "":
		return nil, errors.New("key URI: key-id: want an alias, an identifier or an ARN")
	case k.file != "" && !helper.IsClean(k.file):
		return nil, errors.New("key URI: credentials-file: want an absolute path")
	}
	return k, nil
}

func (k key) connect(ctx context.Context) (*kms.Client, error) {
	var options []func(*config.LoadOptions) error
	if k.region != "" {
		options = append(options, config.WithRegion(k.region))
	}
	if k.profile != "" {
		options = append(options, config.WithSharedConfigProfile(k.profile))
	}
	if k.file != "" {
		options = append(options, config.WithSharedConfigFiles([]string{k.file}))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	return kms.NewFromConfig(c), nil
}

func (k key) Public(ctx context.Context) (crypto.PublicKey, error) {
	client, err := k.connect(ctx)
	if err != nil {
		return nil, err
	}
	return k.public(ctx, client)
}

func (k key) public(ctx context.Context, client *kms.Client) (crypto.PublicKey, error) {
	answer, err := client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &k.id})
	if err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(answer.PublicKey)
	if err != nil {
		return nil, err
	}
	return public, helper.CheckKind(public)
}

func (k key) Sign(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := helper.SaltIsHash(opts); err != nil {
		return nil, err
	}
	client, err := k.connect(ctx)
	if err != nil {
		return nil, err
	}
	public, err := k.public(ctx, client)
	if err != nil {
		return nil, err
	}
	algorithm, err := algorithmOf(public, opts)
	if err != nil {
		return nil, err
	}
	answer, err := client.Sign(ctx, &kms.SignInput{
		KeyId: &k.id, Message: digest, MessageType: types.MessageTypeDigest, SigningAlgorithm: algorithm,
	})
	if err != nil {
		return nil, err
	}
	return answer.Signature, nil
}

// algorithmOf is how AWS calls what is asked for.
func algorithmOf(public crypto.PublicKey, opts crypto.SignerOpts) (types.SigningAlgorithmSpec, error) {
	if err := helper.CheckOptions(public, opts); err != nil {
		return "", err
	}
	prefix := "RSASSA_PKCS1_V1_5_"
	if _, pss := opts.(*rsa.PSSOptions); pss {
		prefix = "RSASSA_PSS_"
	}
	if _, ok := public.(*ecdsa.PublicKey); ok {
		prefix = "ECDSA_"
	}
	return types.SigningAlgorithmSpec(prefix + strings.ReplaceAll(opts.HashFunc().String(), "-", "_")), nil
}

var specs = map[string]types.KeySpec{
	"ecdsa-sha2-256-nistp256":    types.KeySpecEccNistP256,
	"ecdsa-sha2-384-nistp384":    types.KeySpecEccNistP384,
	"rsa-sign-pkcs1-2048-sha256": types.KeySpecRsa2048,
	"rsa-sign-pkcs1-3072-sha256": types.KeySpecRsa3072,
	"rsa-sign-pss-2048-sha256":   types.KeySpecRsa2048,
	"rsa-sign-pss-3072-sha256":   types.KeySpecRsa3072,
}

// Create makes a key, and then gives it its alias: until then nobody uses it.
func (k key) Create(ctx context.Context, a helper.Algorithm) (crypto.PublicKey, error) {
	if !strings.HasPrefix(k.id, "alias/") {
		return nil, errors.New("AWS gives a new key its identifier: want key-id=alias/NAME")
	}
	client, err := k.connect(ctx)
	if err != nil {
		return nil, err
	}
	missing := new(types.NotFoundException)
	if _, err := k.public(ctx, client); err == nil {
		return nil, helper.ErrThere
	} else if !errors.As(err, &missing) {
		return nil, err
	}
	made, err := client.CreateKey(ctx, &kms.CreateKeyInput{
		KeySpec: specs[a.Name], KeyUsage: types.KeyUsageTypeSignVerify, Description: aws.String(strings.TrimPrefix(k.id, "alias/")),
	})
	if err != nil {
		return nil, err
	}
	if _, err := client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &k.id, TargetKeyId: made.KeyMetadata.KeyId}); err != nil {
		return nil, fmt.Errorf("key %s is made, and has no alias: %w", aws.ToString(made.KeyMetadata.KeyId), err)
	}
	return key{id: aws.ToString(made.KeyMetadata.KeyId)}.public(ctx, client) // an alias takes a while to be known everywhere
}
