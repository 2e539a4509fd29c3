package main

import (
	"io"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

func TestQuestionsThatAreNone(t *testing.T) {
	const key = `"initOptions":{"protocolVersion":"v1","keyResourceID":"token=a;object=b;module-path=/m.so","hashFunc":5}`
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"nothing":            {nil, "0 arguments"},
		"no JSON":            {[]string{"v1"}, "1 arguments"},
		"another version":    {[]string{"v2", "{}"}, `protocol "v2"`},
		"other text":         {[]string{"v1", "4321"}, "not a question"},
		"more after it":      {[]string{"v1", "{} 4321"}, "not a question"},
		"an empty object":    {[]string{"v1", "{}"}, "names no key"},
		"no key":             {[]string{"v1", `{"methodName":"publicKey","publicKey":{"publicKeyOptions":{}}}`}, "names no key"},
		"no method":          {[]string{"v1", `{` + key + `,"createKey":{}}`}, "unsupported method"},
		"an unknown method":  {[]string{"v1", `{` + key + `,"methodName":"exportKey"}`}, "unsupported method"},
		"create, no more":    {[]string{"v1", `{` + key + `,"methodName":"createKey"}`}, "lacks its method's arguments"},
		"public key, no…":    {[]string{"v1", `{` + key + `,"methodName":"publicKey","publicKey":{}}`}, "lacks its method's arguments"},
		"sign, no more":      {[]string{"v1", `{` + key + `,"methodName":"signMessage","signMessage":{}}`}, "lacks its method's arguments"},
		"verify, no more":    {[]string{"v1", `{` + key + `,"methodName":"verifySignature"}`}, "lacks its method's arguments"},
		"a key that is none": {[]string{"v1", `{"initOptions":{"keyResourceID":"4321"},"methodName":"defaultAlgorithm"}`}, "want attributes"},
	} {
		answer, status := answerTo(t, "", row.args...)
		if status != 1 || !strings.Contains(answer.ErrorMessage, row.want) || strings.Contains(answer.ErrorMessage, "4321") {
			t.Errorf("%s: status %d, %q; want 1, %q", name, status, answer.ErrorMessage, row.want)
		}
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add(`{"initOptions":{"protocolVersion":"v1","keyResourceID":"token=a;object=b;module-path=/m.so","hashFunc":5},"methodName":"defaultAlgorithm"}`)
	f.Add(`{"initOptions":{"keyResourceID":"token=a;object=b;module-path=/m.so"},"methodName":"signMessage","signMessage":{"signOptions":{"messageOptions":{"digest":"AA==","hashFunc":17}}}}`)
	f.Fuzz(func(t *testing.T, question string) {
		q, err := parseQuestion([]string{"", "v1", question})
		if err == nil {
			handler.Dispatch(io.Discard, strings.NewReader(""), q, &token{})
		}
	})
}
