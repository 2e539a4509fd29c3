package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tcpboot/tcpboot/"

// mayImport says, a line per package, which of our packages it may import.
// pki/fleet holds words only and is everybody's. A package that is not on the
// map is refused: a new one states its place here first.
var mayImport = map[string]string{
	"pki/fleet":          "",
	"pki/custody":        "",
	"pki/site":           "",
	"pki/nvs":            "",
	"pki/backup":         "",
	"pki":                "pki/custody templates",
	"pki/delivery":       "pki pki/nvs menuconfig/kconfig templates",
	"pki/seal":           "pki/delivery",
	"pki/registry":       "pki",
	"pki/radius":         "pki templates",
	"pki/ocsp":           "pki",
	"pki/enroll":         "pki pki/delivery pki/registry",
	"release":            "release/cose release/sitedoc release/espimage release/mcuboot release/sign",
	"release/detached":   "pki/custody",
	"release/espimage":   "",
	"release/partition":  "",
	"release/mcuboot":    "",
	"release/intelhex":   "",
	"release/cose":       "",
	"release/wire":       "release/cose",
	"release/sign":       "pki/custody release/cose",
	"release/sitedoc":    "pki/custody release/cose",
	"release/attest":     "release/cose release/espimage release/sign",
	"release/bundle":     "release release/attest release/cose release/sign",
	"release/remote":     "release release/bundle",
	"release/client":     "release release/espimage release/sitedoc release/wire",
	"release/server":     "release release/wire",
	"menuconfig":         "menuconfig/kconfig",
	"menuconfig/kconfig": "",
	"menuconfig/idf":     "menuconfig/kconfig",
	"templates":          "",

	"pki/registry/registrytest":      "pki pki/registry",
	"menuconfig/kconfig/kconfigtest": "",
	"cmd/tcpboot":                    "* cmd/tcpboot/story",
	"cmd/tcpboot/story":              "release/espimage",
	"cmd/tcpboot-bench":              "*",
}

func TestWhoMayImportWhom(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not on the map: state its place in mayImport and in ARCHITECTURE.md", name)
			continue
		}
		for _, imp := range p.Imports {
			ours, isOurs := strings.CutPrefix(imp, module)
			switch {
			case !isOurs || ours == "pki/fleet" || strings.HasPrefix(allowed, "*") && !strings.HasPrefix(ours, "cmd/"):
			case !slices.Contains(strings.Fields(allowed), ours):
				t.Errorf("%s imports %s, which the map does not allow", name, ours)
			}
		}
	}
}

// Rooms keep their duties: who may speak SQL, open sockets, read flags.
func TestDutiesStayInTheirRooms(t *testing.T) {
	duties := map[string][]string{
		"database/sql":             {"pki/registry"},
		"github.com/urfave/cli/v2": {"cmd/tcpboot"},
		"charm.land/bubbletea/v2":  {"menuconfig"},
		"flag":                     {"cmd/tcpboot-bench"},
		"math/rand":                nil,
		"unsafe":                   nil,
		"C":                        nil,
	}
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for duty, rooms := range duties {
			if slices.Contains(p.Imports, duty) && !slices.Contains(rooms, name) {
				t.Errorf("%s imports %s: that is the duty of %v", name, duty, rooms)
			}
		}
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) (ps []listed) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}
