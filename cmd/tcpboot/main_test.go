package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

func TestMain(m *testing.M) {
	testscript.Main(surroundings{m}, map[string]func(){"tcpboot": main})
}

// surroundings are what all tests share: a usual umask, and a folder for the
// site that they copy.
type surroundings struct{ *testing.M }

func (m surroundings) Run() int {
	syscall.Umask(0o022)
	// Under the race detector every process would idle for a second at its end.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	os.Unsetenv("TCPBOOT_SITE")
	dir, err := os.MkdirTemp("", "tcpboot-ready-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	defer registrytest.StopServer()
	readyDir = dir
	return m.M.Run()
}

// TestScript runs the command as people use it: a folder per script, a
// passphrase file, and commands of our own beside tcpboot. A script that needs
// a site begins with "site".
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds:                scriptCommands,
	})
}

// scriptCommands are what scripts can say beside what testscript knows.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	// the command and its answers
	"exits":   cmdExits,
	"refused": cmdRefused,
	"fields":  cmdFields,
	"get":     cmdGet,
	// sites and what lies in them
	"site":    cmdSite,
	"replace": cmdReplace,
	"image":   cmdImage,
	"vectors": cmdVectors,
	"sql":     cmdSQL,
	"idf":     cmdIDF,
	"tree":    cmdTree,
	"value":   cmdValue,
	"nvs":     cmdNVS,
	// peers
	"radius":   cmdRADIUS,
	"login":    cmdLogin,
	"serve":    cmdServe,
	"board":    cmdBoard,
	"ocsp":     cmdOCSP,
	"byget":    cmdByGet,
	"report":   cmdReport,
	"impostor": cmdImpostor,
	"drain":    cmdDrain,
	"port":     cmdPort,
	"token":    cmdToken,
	"database": cmdDatabase,
	"registry": cmdRegistry,
	// on a terminal
	"terminal": cmdTerminal,
	"keys":     cmdKeys,
	"click":    cmdClick,
	"wheel":    cmdWheel,
	"resize":   cmdResize,
	"screen":   cmdScreen,
	"colours":  cmdColours,
	// in a network namespace
	"switch":  cmdSwitch,
	"station": cmdStation,
	"again":   cmdAgain,
}

func setupScript(e *testscript.Env) error {
	passphrase := filepath.Join(e.WorkDir, ".passphrase")
	e.Setenv("TCPBOOT_PASSPHRASE_FILE", passphrase)
	e.Setenv("HOME", e.WorkDir)
	desk, err := filepath.Abs("../../templates/loader/host_test")
	if err != nil {
		return err
	}
	e.Setenv("HOST_TEST", desk)
	running := &peers{}
	e.Values[peersKey{}] = running
	e.Defer(running.stop)
	return os.WriteFile(passphrase, []byte(readyPassphrase+"\n"), 0o600)
}
