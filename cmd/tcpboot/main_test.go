package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tcpboot": main})
}

// TestScript runs the command as people use it: a folder per script, a
// passphrase file, and the commands of peers_test.go beside tcpboot.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			passphrase := filepath.Join(e.WorkDir, ".passphrase")
			e.Setenv("TCPBOOT_PASSPHRASE_FILE", passphrase)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("USER", "tester")
			running := &peers{}
			e.Values[peersKey{}] = running
			e.Defer(running.stop)
			return os.WriteFile(passphrase, []byte("only a test\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"image":  cmdImage,
			"radius": cmdRADIUS,
			"login":  cmdLogin,
			"serve":  cmdServe,
			"port":   cmdPort,
			"tree":   cmdTree,
		},
	})
}
