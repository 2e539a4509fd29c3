package custody

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// algorithms are the kinds as sigstore's registry of algorithms spells them. Some
// stores settle for ever how a key signs when it is made.
var algorithms = map[Kind]string{
	P256:    "ecdsa-sha2-256-nistp256",
	P384:    "ecdsa-sha2-384-nistp384",
	RSA2048: "rsa-sign-pkcs1-2048-sha256",
	RSA3072: "rsa-sign-pss-3072-sha256",
}

// ask puts one question and returns the answer, which bears no error.
func (h *helper) ask(timeout time.Duration, m common.MethodArgs) (*common.PluginResp, error) {
	question := common.PluginArgs{InitOptions: h.options(common.ProtocolVersion, timeout), MethodArgs: &m}
	var answer common.PluginResp
	failure := h.exchange(timeout, common.ProtocolVersion, question, &answer)
	if answer.ErrorMessage != "" {
		return nil, h.errorf("%s", oneLine(answer.ErrorMessage))
	}
	if failure != nil {
		return nil, failure
	}
	return &answer, nil
}

// exchange puts a question and reads the answer, which may be there although the
// helper failed.
func (h *helper) exchange(timeout time.Duration, version string, question, answer any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	out, failure := h.run(timeout, version, string(text))
	if failure != nil && out == nil {
		return failure
	}
	if err := json.Unmarshal(out, answer); err != nil {
		return h.errorf("not an answer: %v", err)
	}
	return failure
}

// options are those of every question.
func (h *helper) options(version string, timeout time.Duration) *common.InitOptions {
	deadline := time.Now().Add(timeout)
	return &common.InitOptions{
		CtxDeadline:     &deadline,
		ProtocolVersion: version,
		KeyResourceID:   h.key,
		HashFunc:        crypto.SHA256,
		RPCOptions:      &common.RPCOptions{},
	}
}

func (h *helper) publicKey() (crypto.PublicKey, error) {
	answer, err := h.ask(h.timeout, common.MethodArgs{
		MethodName: common.PublicKeyMethodName,
		PublicKey:  &common.PublicKeyArgs{PublicKeyOptions: &common.PublicKeyOptions{}},
	})
	if err != nil {
		return nil, err
	}
	if answer.PublicKey == nil {
		return nil, h.errorf("answers without a public key")
	}
	return h.parsePublic(answer.PublicKey.PublicKeyPEM)
}

func (h *helper) createKey(kind Kind) (crypto.PublicKey, error) {
	answer, err := h.ask(5*h.timeout, common.MethodArgs{
		MethodName: common.CreateKeyMethodName,
		CreateKey:  &common.CreateKeyArgs{Algorithm: algorithms[kind]},
	})
	if err != nil {
		return nil, err
	}
	if answer.CreateKey == nil {
		return nil, h.errorf("answers without a public key")
	}
	return h.parsePublic(answer.CreateKey.PublicKeyPEM)
}

func (h *helper) sign(digest []byte, hash crypto.Hash) ([]byte, error) {
	answer, err := h.ask(h.timeout, common.MethodArgs{
		MethodName: common.SignMessageMethodName,
		SignMessage: &common.SignMessageArgs{SignOptions: &common.SignOptions{
			MessageOptions: common.MessageOptions{Digest: &digest, HashFunc: &hash},
		}},
	})
	if err != nil {
		return nil, err
	}
	if answer.SignMessage == nil || len(answer.SignMessage.Signature) == 0 {
		return nil, h.errorf("answers without a signature")
	}
	return answer.SignMessage.Signature, nil
}

func (h *helper) parsePublic(text []byte) (crypto.PublicKey, error) {
	public, err := parsePublic(text)
	return public, h.wrap(err)
}

// parsePublic reads one public key of a known Kind.
func parsePublic(text []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		return nil, errors.New("public key: want one PEM block of it")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if _, err := KindOf(public); err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return public, nil
}
