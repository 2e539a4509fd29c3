package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/bcrypt"
)

// cmdRegistry starts Debian's docker-registry on a folder of its own, .registry,
// on a port of the system's choice: host and port go into the variable REGISTRY.
// "registry stop" ends it, "registry" without more starts it on the same port
// again, or anew.
//
//	registry [USER PASSWORD] | stop
func cmdRegistry(ts *testscript.TestScript, neg bool, args []string) {
	p := running(ts)
	if p.registry != nil {
		_, _ = p.registry() // it ends by the signal
		p.registry = nil
	}
	if len(args) == 1 && args[0] == "stop" {
		return
	}
	dir := filepath.Join(ts.Getenv("WORK"), ".registry")
	ts.Check(os.MkdirAll(dir, 0o700))
	if ts.Getenv("REGISTRY") == "" {
		ts.Setenv("REGISTRY", "127.0.0.1:"+freePort(ts, "tcp"))
	}
	config := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n", filepath.Join(dir, "data"), ts.Getenv("REGISTRY"))
	if len(args) == 2 {
		hash, err := bcrypt.GenerateFromPassword([]byte(args[1]), bcrypt.MinCost)
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(dir, "users"), fmt.Appendf(nil, "%s:%s\n", args[0], hash), 0o600))
		config += fmt.Sprintf("auth: {htpasswd: {realm: lab, path: %q}}\n", filepath.Join(dir, "users"))
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600))
	p.registry = background(ts, exec.Command(peer(ts, "docker-registry", "docker-registry"), "serve", filepath.Join(dir, "config.yml")), "listening on")
}
