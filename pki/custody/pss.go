package custody

import (
	"crypto"
	"fmt"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// pssVersion is the version of our own mode, for digests with PSS.
const pssVersion = "tcpboot-v1"

type (
	pssQuestion struct {
		InitOptions *common.InitOptions `json:"initOptions"`
		MethodName  string              `json:"methodName"`
		SignPSS     pssArguments        `json:"signPSS"`
	}
	pssArguments struct {
		Digest     []byte      `json:"digest"`
		HashFunc   crypto.Hash `json:"hashFunc"`
		SaltLength int         `json:"saltLength"`
	}
	pssAnswer struct {
		ProtocolVersion string                  `json:"protocolVersion"`
		ErrorMessage    string                  `json:"errorMessage"`
		SignPSS         *common.SignMessageResp `json:"signPSS"`
	}
)

func (h *helper) signPSS(digest []byte, hash crypto.Hash, salt int) ([]byte, error) {
	question := pssQuestion{h.options(pssVersion, h.timeout), "signPSS", pssArguments{digest, hash, salt}}
	var answer pssAnswer
	failure := h.exchange(h.timeout, pssVersion, question, &answer)
	return h.signatureOf(answer, failure)
}

func (h *helper) signatureOf(answer pssAnswer, failure error) ([]byte, error) {
	switch {
	case answer.ProtocolVersion != pssVersion && (failure == nil || answer.ErrorMessage != ""):
		return nil, h.errorf("does not know the mode %s, which RSA-PSS takes%s", pssVersion, said(answer.ErrorMessage))
	case answer.ErrorMessage != "":
		return nil, h.errorf("%s", oneLine(answer.ErrorMessage))
	case failure != nil:
		return nil, fmt.Errorf("RSA-PSS, in the mode %s: %w", pssVersion, failure)
	case answer.SignPSS == nil || len(answer.SignPSS.Signature) == 0:
		return nil, h.errorf("answers without a signature")
	}
	return answer.SignPSS.Signature, nil
}
