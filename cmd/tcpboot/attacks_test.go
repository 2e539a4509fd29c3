package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

var nameMatch = regexp.MustCompile(`(?m)^domain_match=.*\n`)

// cmdImpostor logs in, with what was delivered to a board, at a RADIUS server that
// is a thief's. The station compares no name, as the loader of 2017 does not; it
// must refuse the server because of its root. "!" expects it to be taken in.
//
//	impostor METHOD MAC DELIVERY
func cmdImpostor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || methods[args[0]] == "" {
		ts.Fatalf("usage: impostor METHOD MAC DELIVERY")
	}
	file := supplicantConf(ts, args[0], args[1], ts.MkAbs(args[2]))
	text, err := os.ReadFile(file)
	ts.Check(err)
	ts.Check(os.WriteFile(file, nameMatch.ReplaceAll(text, nil), 0o600))
	secret := strings.TrimSpace(ts.ReadFile("keys/radius-client.secret"))
	out, err := exec.Command(peer(ts, "eapol_test", "eapoltest"), "-c", file, "-a", "127.0.0.1", "-p", ts.Getenv("RADIUS"),
		"-s", secret, "-M", withColons(args[1]), "-t", "10").CombinedOutput()
	said := string(out)
	refused := strings.Contains(said, "CTRL-EVENT-EAP-TLS-CERT-ERROR reason=1") // untrusted
	if refused == neg || refused == (err == nil) {
		ts.Fatalf("the station refused the server: %v; logged in: %v\n%s", refused, err == nil, said)
	}
}
