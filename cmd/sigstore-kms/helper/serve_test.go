package helper_test

import (
	"crypto"
	"io"
	"strings"
	"testing"
)

func TestQuestionsThatAreNone(t *testing.T) {
	const key = `"initOptions":{"protocolVersion":"v1","keyResourceID":"name=a","hashFunc":5}`
	const pss = `"signPSS":{"digest":"AAAA","hashFunc":5,"saltLength":32}`
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"nothing":            {nil, "0 arguments"},
		"no JSON":            {[]string{"v1"}, "1 arguments"},
		"another version":    {[]string{"v2", "{}"}, `protocol "v2": this helper speaks v1 and tcpboot-v1`},
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
		"PSS, by v1":         {[]string{"v1", `{` + key + `,"methodName":"signPSS",` + pss + `}`}, "unsupported method"},
		"PSS, no JSON":       {[]string{"tcpboot-v1"}, "1 arguments"},
		"PSS, other text":    {[]string{"tcpboot-v1", "4321"}, "not a question"},
		"PSS, no key":        {[]string{"tcpboot-v1", `{"methodName":"signPSS",` + pss + `}`}, "names no key"},
		"PSS, no more":       {[]string{"tcpboot-v1", `{` + key + `,"methodName":"signPSS"}`}, "lacks its method's arguments"},
		"PSS, of a method":   {[]string{"tcpboot-v1", `{` + key + `,"methodName":"signMessage"}`}, "has signPSS alone"},
		"PSS, a bad digest":  {[]string{"tcpboot-v1", `{` + key + `,"methodName":"signPSS",` + pss + `}`}, "a digest of 3 bytes"},
	} {
		answer, status := memory{}.asker().AnswerTo(t, "", row.args...)
		if status != 1 || !strings.Contains(answer.ErrorMessage, row.want) || strings.Contains(answer.ErrorMessage, "4321") {
			t.Errorf("%s: status %d, %q; want 1, %q", name, status, answer.ErrorMessage, row.want)
		}
		if inMode := len(row.args) > 0 && row.args[0] == "tcpboot-v1"; inMode != (answer.ProtocolVersion == "tcpboot-v1") {
			t.Errorf("%s: the answer is of version %q", name, answer.ProtocolVersion)
		}
	}
}

func TestUnknownAlgorithm(t *testing.T) {
	for _, algorithm := range []string{"", "ed25519"} {
		if answer := (memory{}).asker().Create(t, "name=a", algorithm); !strings.Contains(answer.ErrorMessage, "want one of [ecdsa-sha2-256-nistp256 ") {
			t.Errorf("%q: %q", algorithm, answer.ErrorMessage)
		}
	}
	if answer := (memory{}).asker().SignPSS(t, "name=a", make([]byte, 32), crypto.SHA256, 32); answer.ErrorMessage != "no such key" {
		t.Errorf("PSS of no key: %q", answer.ErrorMessage)
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add("v1", `{"initOptions":{"protocolVersion":"v1","keyResourceID":"name=a","hashFunc":5},"methodName":"defaultAlgorithm"}`)
	f.Add("v1", `{"initOptions":{"keyResourceID":"name=a"},"methodName":"signMessage","signMessage":{"signOptions":{"messageOptions":{"digest":"AA==","hashFunc":17}}}}`)
	f.Add("tcpboot-v1", `{"initOptions":{"keyResourceID":"name=a"},"methodName":"signPSS","signPSS":{"digest":"AA==","hashFunc":5,"saltLength":32}}`)
	program := memory{}.asker()
	f.Fuzz(func(t *testing.T, version, question string) {
		if lower := strings.ToLower(question); strings.Contains(lower, "deadline") || strings.Contains(lower, "createkey") {
			return // the one ends the process, the other takes a while
		}
		program.Serve([]string{"", version, question}, strings.NewReader(""), io.Discard)
	})
}
