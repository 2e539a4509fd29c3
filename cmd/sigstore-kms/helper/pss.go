package helper

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// pssVersion is the version of the mode for digests with PSS.
const pssVersion = "tcpboot-v1"

type (
	pssQuestion struct {
		InitOptions *common.InitOptions `json:"initOptions"`
		MethodName  string              `json:"methodName"`
		SignPSS     *pssArguments       `json:"signPSS"`
	}
	pssArguments struct {
		Digest     []byte      `json:"digest"`
		HashFunc   crypto.Hash `json:"hashFunc"`
		SaltLength int         `json:"saltLength"`
	}
	pssAnswer struct {
		ProtocolVersion string                  `json:"protocolVersion"`
		ErrorMessage    string                  `json:"errorMessage,omitempty"`
		SignPSS         *common.SignMessageResp `json:"signPSS,omitempty"`
	}
)

// servePSS names the version in every answer: who asks knows by it that the mode
// is known here.
func (p Program) servePSS(args []string, answers io.Writer) (status int) {
	answer := pssAnswer{ProtocolVersion: pssVersion}
	signature, err := p.signPSS(args)
	if err != nil {
		answer.ErrorMessage, status = err.Error(), 1
	} else {
		answer.SignPSS = &common.SignMessageResp{Signature: signature}
	}
	if json.NewEncoder(answers).Encode(answer) != nil {
		return 1
	}
	return status
}

func (p Program) signPSS(args []string) ([]byte, error) {
	question, err := parsePSS(args)
	if err != nil {
		return nil, err
	}
	key, err := p.open(question.InitOptions)
	if err != nil {
		return nil, err
	}
	a := question.SignPSS
	return key.Sign(context.Background(), a.Digest, &rsa.PSSOptions{Hash: a.HashFunc, SaltLength: a.SaltLength})
}

func parsePSS(args []string) (*pssQuestion, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("%d arguments: want the protocol's version and a JSON object", len(args)-1)
	}
	var q pssQuestion
	if json.Unmarshal([]byte(args[2]), &q) != nil {
		return nil, errQuestion
	}
	switch {
	case q.MethodName != "signPSS":
		return nil, fmt.Errorf("method %.20q: the mode %s has signPSS alone", q.MethodName, pssVersion)
	case q.InitOptions == nil || q.SignPSS == nil:
		return nil, errors.New("the question names no key, or lacks its method's arguments")
	}
	return &q, q.SignPSS.check()
}

func (a *pssArguments) check() error {
	switch {
	case !slices.Contains(hashes, a.HashFunc):
		return errors.New("unsupported hash: want SHA-256, SHA-384 or SHA-512")
	case len(a.Digest) != a.HashFunc.Size():
		return fmt.Errorf("a digest of %d bytes is none of %v", len(a.Digest), a.HashFunc)
	case a.SaltLength < 1 || a.SaltLength > a.HashFunc.Size():
		return fmt.Errorf("a salt of %d bytes: want 1 to %d", a.SaltLength, a.HashFunc.Size())
	}
	return nil
}

// SaltIsHash refuses what most stores cannot do: a salt of another length than
// the digest's.
func SaltIsHash(opts crypto.SignerOpts) error {
	if pss, ok := opts.(*rsa.PSSOptions); ok && pss.SaltLength != pss.Hash.Size() {
		return fmt.Errorf("a salt of %d bytes: this key store has one of %d, as long as the digest", pss.SaltLength, pss.Hash.Size())
	}
	return nil
}
