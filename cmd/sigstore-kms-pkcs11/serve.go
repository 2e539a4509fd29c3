package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

// serve answers one question and returns the exit status.
func serve(args []string, message io.Reader, answers io.Writer) int {
	question, err := parseQuestion(args)
	if err != nil {
		return refuse(answers, err)
	}
	endAt(question.InitOptions.CtxDeadline)
	key, err := parseKey(question.InitOptions.KeyResourceID)
	if err != nil {
		return refuse(answers, err)
	}
	t := &token{key: key, hash: question.InitOptions.HashFunc}
	answer, err := handler.Dispatch(answers, message, question, t)
	if err != nil || answer.ErrorMessage != "" {
		return 1
	}
	return 0
}

func refuse(answers io.Writer, err error) int {
	handler.WriteErrorResponse(answers, err)
	return 1
}

// parseQuestion reads the arguments. What it returns has all that the handler
// takes for granted.
func parseQuestion(args []string) (*common.PluginArgs, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("%d arguments: want the protocol's version and a JSON object", len(args)-1)
	}
	if args[1] != common.ProtocolVersion {
		return nil, fmt.Errorf("protocol %.20q: this helper speaks %s", args[1], common.ProtocolVersion)
	}
	question, err := handler.GetPluginArgs(args)
	if err != nil {
		return nil, errors.New("the second argument is not a question in JSON")
	}
	if question.InitOptions == nil || question.MethodArgs == nil || !complete(question.MethodArgs) {
		return nil, errors.New("the question names no key, or lacks its method's arguments")
	}
	return question, nil
}

func complete(m *common.MethodArgs) bool {
	switch m.MethodName {
	case common.CreateKeyMethodName:
		return m.CreateKey != nil
	case common.PublicKeyMethodName:
		return m.PublicKey != nil && m.PublicKey.PublicKeyOptions != nil
	case common.SignMessageMethodName:
		return m.SignMessage != nil && m.SignMessage.SignOptions != nil
	case common.VerifySignatureMethodName:
		return m.VerifySignature != nil && m.VerifySignature.VerifyOptions != nil
	}
	return true
}

// endAt ends the process when nobody waits for its answer any more. A token's
// library cannot be interrupted otherwise.
func endAt(deadline *time.Time) {
	if deadline == nil {
		return
	}
	time.AfterFunc(time.Until(*deadline), func() {
		fmt.Fprintln(os.Stderr, "sigstore-kms-pkcs11: the token did not answer in time")
		os.Exit(1)
	})
}
