package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig/kconfigtest"
)

// inSession makes a folder with the recorded conversation, and goes there.
func inSession(t *testing.T) {
	from, err := filepath.Abs("../../menuconfig/kconfig/testdata/server/01-session")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.CopyFS(".", os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("sdkconfig.saved", "want"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("IDF_VERSION", "6.2.0")
}

// startServer runs the verb and returns both ends of the conversation.
func startServer(t *testing.T, args ...string) (to io.WriteCloser, from *bufio.Reader, ended chan int) {
	in, to := io.Pipe()
	out, w := io.Pipe()
	ended = make(chan int, 1)
	go func() {
		ended <- run(append([]string{"tcpboot", "menuconfig", "--server"}, args...), in, w, io.Discard)
		w.Close()
	}()
	return to, bufio.NewReader(out), ended
}

// message reads one line. What a JSON parser says of its own is cut off.
func message(t *testing.T, line []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if list, ok := m["error"].([]any); ok {
		for i := range list {
			list[i], _, _ = strings.Cut(list[i].(string), "error: ")
		}
	}
	return m
}

// A client that waits for each answer gets those of the reference server.
func TestMenuconfigServer(t *testing.T) {
	inSession(t)
	to, from, ended := startServer(t, "--kconfig", "Kconfig", "--config", "sdkconfig.start")
	requests, err := os.ReadFile("requests.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	answers, err := os.ReadFile("responses.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Split(bytes.TrimSpace(answers), []byte("\n"))
	for i, request := range append([][]byte{nil}, bytes.Split(bytes.TrimSpace(requests), []byte("\n"))...) {
		if request != nil {
			fmt.Fprintf(to, "%s\n", request)
		}
		got, err := from.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(message(t, got), message(t, want[i])) {
			t.Errorf("%s: got %s want %s", request, got, want[i])
		}
	}
	to.Close()
	if status := <-ended; status != exitDone {
		t.Errorf("exit status %d", status)
	}
	saved, err := os.ReadFile("sdkconfig.saved")
	wanted, err2 := os.ReadFile("want")
	if err := errors.Join(err, err2); err != nil || string(saved) != string(wanted) {
		t.Errorf("%v; saved:\n%s", err, saved)
	}
}

// A live one, on the loader's options: what a change reveals, a refusal, and what
// is saved, which is there when the answer is.
func TestMenuconfigServerLive(t *testing.T) {
	t.Chdir(t.TempDir())
	to, from, ended := startServer(t)
	ask := func(request string) map[string]any {
		t.Helper()
		if request != "" {
			fmt.Fprintln(to, request)
		}
		line, err := from.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		return message(t, line)
	}
	greeting := ask("")
	if values := greeting["values"].(map[string]any); greeting["version"] != 3.0 || values["TCPBOOT_SILENCE"] != 30.0 {
		t.Errorf("greeting %v", greeting)
	}
	changed := ask(`{"version": 3, "set": {"TCPBOOT_NETWORK_ETHERNET": true, "TCPBOOT_PHY_ADDRESS": 4}}`)
	if values := changed["values"].(map[string]any); values["TCPBOOT_PHY_ADDRESS"] != 4.0 || values["TCPBOOT_NETWORK_WIFI"] != false {
		t.Errorf("changed %v", changed)
	}
	if refused := ask(`{"version": 3, "set": {"TCPBOOT_WPA3": true}}`); !strings.Contains(fmt.Sprint(refused["error"]), "TCPBOOT_WPA3") {
		t.Errorf("refused %v", refused)
	}
	if saved := ask(`{"version": 3, "save": null}`); saved["error"] != nil {
		t.Errorf("saved %v", saved)
	}
	if text, err := os.ReadFile("sdkconfig"); err != nil || !strings.Contains(string(text), "\nCONFIG_TCPBOOT_PHY_ADDRESS=4\n") {
		t.Errorf("%v in sdkconfig:\n%s", err, text)
	}
	to.Close()
	if status := <-ended; status != exitDone {
		t.Errorf("exit status %d", status)
	}
}

// cmdIDF lays a made-up ESP-IDF of the real one's size into a folder:  idf DIR
func cmdIDF(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: idf DIR")
	}
	ts.Check(os.CopyFS(ts.MkAbs(args[0]), kconfigtest.IDF()))
}
