package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	kms "cloud.google.com/go/kms/apiv1"
	"cloud.google.com/go/kms/apiv1/kmspb"
	"go.step.sm/crypto/kms/cloudkms"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

const ring = "projects/site/locations/europe-west1/keyRings/boards"

// A service is Google's with keys of its own.
type service struct {
	kmspb.UnimplementedKeyManagementServiceServer
	*testing.T
	sync.Mutex
	keys map[string]made // by version
}

type made struct {
	crypto.Signer
	algorithm kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm
}

// algorithms are those that keys are made for, and how they sign.
var algorithms = map[kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm]struct {
	kind string
	opts crypto.SignerOpts
}{
	kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256:        {"p256", crypto.SHA256},
	kmspb.CryptoKeyVersion_EC_SIGN_P384_SHA384:        {"p384", crypto.SHA384},
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256: {"rsa2048", crypto.SHA256},
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_3072_SHA256: {"rsa3072", crypto.SHA256},
	kmspb.CryptoKeyVersion_RSA_SIGN_PSS_2048_SHA256:   {"rsa2048", pss},
	kmspb.CryptoKeyVersion_RSA_SIGN_PSS_3072_SHA256:   {"rsa3072", pss},
}

var pss = &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}

// newService starts a server, and returns what asks it.
func newService(t *testing.T) (*service, helpertest.Asker) {
	t.Helper()
	s := &service{T: t, keys: map[string]made{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	connect := func(ctx context.Context, credentials string) (*cloudkms.CloudKMS, error) {
		if credentials != "" && credentials != "/etc/tcpboot/gcp.json" {
			t.Errorf("credentials of %s", credentials)
		}
		client, err := kms.NewKeyManagementClient(ctx, option.WithEndpoint(listener.Addr().String()), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
		return cloudkms.NewCloudKMS(client), err
	}
	return s, helpertest.Asker{Program: program(connect)}
}

func (s *service) key(version string) (made, error) {
	s.Lock()
	defer s.Unlock()
	key, ok := s.keys[version]
	if !ok {
		return made{}, status.Error(codes.NotFound, "no such key")
	}
	return key, nil
}

func (s *service) GetKeyRing(_ context.Context, q *kmspb.GetKeyRingRequest) (*kmspb.KeyRing, error) {
	if q.Name != ring {
		s.Errorf("ring %s", q.Name)
	}
	return &kmspb.KeyRing{Name: q.Name}, nil
}

func (s *service) CreateCryptoKey(_ context.Context, q *kmspb.CreateCryptoKeyRequest) (*kmspb.CryptoKey, error) {
	name, algorithm := q.Parent+"/cryptoKeys/"+q.CryptoKeyId, q.CryptoKey.VersionTemplate.Algorithm
	if _, err := s.key(name + "/cryptoKeyVersions/1"); err == nil {
		return nil, status.Error(codes.AlreadyExists, "there")
	}
	if q.CryptoKey.Purpose != kmspb.CryptoKey_ASYMMETRIC_SIGN {
		s.Errorf("a key for %v", q.CryptoKey.Purpose)
	}
	key := made{helpertest.Generate(s, algorithms[algorithm].kind), algorithm}
	s.Lock()
	defer s.Unlock()
	s.keys[name+"/cryptoKeyVersions/1"] = key
	return &kmspb.CryptoKey{Name: name}, nil
}

func (s *service) GetPublicKey(_ context.Context, q *kmspb.GetPublicKeyRequest) (*kmspb.PublicKey, error) {
	key, err := s.key(q.Name)
	if err != nil {
		return nil, err
	}
	block := &pem.Block{Type: "PUBLIC KEY", Bytes: helpertest.PublicDER(s, key.Public())}
	return &kmspb.PublicKey{Pem: string(pem.EncodeToMemory(block)), Algorithm: key.algorithm}, nil
}

func (s *service) AsymmetricSign(_ context.Context, q *kmspb.AsymmetricSignRequest) (*kmspb.AsymmetricSignResponse, error) {
	key, err := s.key(q.Name)
	if err != nil {
		return nil, err
	}
	opts := algorithms[key.algorithm].opts
	digest := map[crypto.Hash][]byte{crypto.SHA256: q.Digest.GetSha256(), crypto.SHA384: q.Digest.GetSha384()}[opts.HashFunc()]
	if len(digest) != opts.HashFunc().Size() {
		return nil, status.Error(codes.InvalidArgument, "a digest of another hash")
	}
	sig, err := key.Sign(rand.Reader, digest, opts)
	return &kmspb.AsymmetricSignResponse{Signature: sig}, err
}

func TestGCP(t *testing.T) {
	_, asker := newService(t)
	helpertest.Contract{Asker: asker, OneWay: true, Key: func(algorithm string) string {
		return "resource=" + ring + "/cryptoKeys/" + algorithm + "/cryptoKeyVersions/1?credentials-file=/etc/tcpboot/gcp.json"
	}}.Check(t)
}

func TestRefuses(t *testing.T) {
	_, asker := newService(t)
	asker.Secret = "4321"
	for name, row := range map[string]struct{ key, want string }{
		"no name":             {"credentials-file=/etc/gcp", "resource: want"},
		"no version":          {"resource=" + ring + "/cryptoKeys/app", "resource: want"},
		"version 0":           {"resource=" + ring + "/cryptoKeys/app/cryptoKeyVersions/0", "resource: want"},
		"a detour":            {"resource=" + ring + "/cryptoKeys/../app/cryptoKeyVersions/1", "resource: want"},
		"another version":     {"resource=" + ring + "/cryptoKeys/app/cryptoKeyVersions/2", "a new key has version 1"},
		"credentials by name": {"resource=" + ring + "/cryptoKeys/app/cryptoKeyVersions/1?credentials-file=4321", "credentials-file: want"},
		"a secret":            {"resource=" + ring + "/cryptoKeys/app/cryptoKeyVersions/1?credentials=4321", "want attributes"},
	} {
		if made := asker.Create(t, row.key, "ecdsa-sha2-256-nistp256"); !strings.Contains(made.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, made.ErrorMessage, row.want)
		}
	}
}

// Without the server that tests have, credentials are asked for, from the file that
// the key names.
func TestCredentials(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.json")
	asker := helpertest.Asker{Program: program(connect)}
	read := asker.Public(t, "resource="+ring+"/cryptoKeys/app/cryptoKeyVersions/1?credentials-file="+none)
	if !strings.Contains(read.ErrorMessage, none) {
		t.Errorf("got %q", read.ErrorMessage)
	}
}
