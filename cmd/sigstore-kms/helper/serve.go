package helper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

// Serve answers one question and returns the exit status.
func (p Program) Serve(args []string, message io.Reader, answers io.Writer) int {
	if len(args) > 1 && args[1] == pssVersion {
		return p.servePSS(args, answers)
	}
	question, err := parseQuestion(args)
	if err != nil {
		return refuse(answers, err)
	}
	key, err := p.open(question.InitOptions)
	if err != nil {
		return refuse(answers, err)
	}
	asked := &asked{key: key, hash: question.InitOptions.HashFunc}
	answer, err := handler.Dispatch(answers, message, question, asked)
	if err != nil || answer.ErrorMessage != "" {
		return 1
	}
	return 0
}

func refuse(answers io.Writer, err error) int {
	handler.WriteErrorResponse(answers, err)
	return 1
}

func (p Program) open(o *common.InitOptions) (Key, error) {
	p.endAt(o.CtxDeadline)
	return p.Open(o.KeyResourceID)
}

// endAt ends the process when nobody waits for its answer any more. A store's
// library cannot be interrupted otherwise.
func (p Program) endAt(deadline *time.Time) {
	if deadline == nil {
		return
	}
	time.AfterFunc(time.Until(*deadline), func() {
		fmt.Fprintf(os.Stderr, "%s: the key store did not answer in time\n", p.Name)
		os.Exit(1)
	})
}

var errQuestion = errors.New("the second argument is not a question in JSON")

// parseQuestion reads the arguments. What it returns has all that the handler
// takes for granted.
func parseQuestion(args []string) (*common.PluginArgs, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("%d arguments: want the protocol's version and a JSON object", len(args)-1)
	}
	if args[1] != common.ProtocolVersion {
		return nil, fmt.Errorf("protocol %.20q: this helper speaks %s and %s", args[1], common.ProtocolVersion, pssVersion)
	}
	question, err := handler.GetPluginArgs(args)
	if err != nil {
		return nil, errQuestion
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
