package kconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

const session = "testdata/server/01-session/"

// sessionFile is a file of one exchange with the reference server.
func sessionFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(session + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sessionServer(t *testing.T) (server *Server, saved map[string][]byte) {
	t.Helper()
	tree, err := Parse(Source{Files: os.DirFS(session), Root: "Kconfig", Env: func(name string) (string, bool) {
		return "6.2.0", name == "IDF_VERSION"
	}})
	if err != nil {
		t.Fatal(err)
	}
	saved = map[string][]byte{}
	server = &Server{Settings: tree.Settings(), File: "sdkconfig.start",
		Load: func(file string) ([]byte, error) { return os.ReadFile(session + file) },
		Save: func(file string, data []byte) error { saved[file] = data; return nil }}
	c, err := Read("sdkconfig.start", sessionFile(t, "sdkconfig.start"))
	if err != nil {
		t.Fatal(err)
	}
	server.Settings.Load(c, PreferSdkconfig)
	return server, saved
}

// The answers are those of the reference server.
func TestServerSession(t *testing.T) {
	server, saved := sessionServer(t)
	requests := bytes.Split(bytes.TrimSpace(sessionFile(t, "requests.jsonl")), []byte("\n"))
	answers := bytes.Split(bytes.TrimSpace(sessionFile(t, "responses.jsonl")), []byte("\n"))
	if len(answers) != len(requests)+1 {
		t.Fatalf("%d requests, %d answers", len(requests), len(answers))
	}
	compareJSON(t, "greeting", server.Greeting(), answers[0])
	for i, q := range requests {
		compareJSON(t, string(q), server.Answer(q), answers[i+1])
	}
	if got, want := string(saved["sdkconfig.saved"]), string(sessionFile(t, "sdkconfig.saved")); got != want {
		t.Error(difference(got, want))
	}
}

func compareJSON(t *testing.T, what string, got, want []byte) {
	t.Helper()
	var g, w map[string]any
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
		t.Fatal(what, err)
	}
	cutDetail(g)
	cutDetail(w)
	if !reflect.DeepEqual(g, w) || bytes.Count(got, []byte("\n")) != 1 {
		t.Errorf("%s: got %s want %s", what, got, want)
	}
}

// cutDetail cuts off what a JSON parser says of its own.
func cutDetail(answer map[string]any) {
	if list, ok := answer["error"].([]any); ok {
		for i := range list {
			if strings.HasPrefix(list[i].(string), "JSON formatting error: ") {
				list[i] = "JSON formatting error"
			}
		}
	}
}

func TestServerRefuses(t *testing.T) {
	for _, tt := range []struct{ request, want string }{
		{`{"version":3,"set":{"SLOT":"xyz"}}`, "Hex symbol SLOT can accept a decimal integer or a string of hex digits, only"},
		{`{"version":3,"set":{"SLOT":1.5}}`, "Hex symbol SLOT can accept a decimal integer or a string of hex digits, only"},
		{`{"version":3,"set":{"GAIN":"much"}}`, "Float symbol GAIN requires a valid float value"},
		{`{"version":3,"set":{"PORT":"many"}}`, "option PORT: a decimal number is wanted"},
		{`{"version":3,"set":{"PORT":[1]}}`, "Symbol PORT only accepts a string or a number"},
		{`{"version":3,"set":[]}`, "JSON formatting error: set wants an object"},
		{`{"version":3,"load":"gone"}`, "Failed to load from gone: open testdata/server/01-session/gone: no such file or directory"},
		{`{"version":3,"reset":["no-menu"]}`, "The following menu(s) were not found: no-menu"},
		{`{"version":2,"reset":["all"]}`, "Resetting config symbols is not supported in protocol version 2"},
		{`{"version":1.5}`, "Unsupported request version 1.5. Server supports versions 1-3"},
	} {
		server, _ := sessionServer(t)
		before := string(server.Settings.Sdkconfig())
		var answer struct{ Error []string }
		if err := json.Unmarshal(server.Answer([]byte(tt.request)), &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.Error) != 1 || answer.Error[0] != tt.want {
			t.Errorf("%s: %q, want %q", tt.request, answer.Error, tt.want)
		}
		if after := string(server.Settings.Sdkconfig()); after != before {
			t.Errorf("%s changed something: %s", tt.request, difference(after, before))
		}
	}
}
