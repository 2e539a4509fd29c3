package main

import (
	"archive/tar"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/seal"
)

// TestBulkKilled kills the sealed enrolment of several batches again and again,
// and runs it to its end: every board is active, once, and the factory has one
// delivery for each, which is the one in force.
func TestBulkKilled(t *testing.T) {
	t.Parallel()
	const boards = 3500
	dir, env := newSite(t)
	factory, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	list, out := filepath.Join(dir, "boards.csv"), filepath.Join(dir, "out")
	writeBulk(t, list, boards)
	enrol := []string{"enroll", "--from", list, "--seal", factory.Recipient().String(), "--out", out}
	f, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(dir, "tcpboot.db"), registry.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	halfway := 0
	for done := 0; killAfter(t, at(env, dir), enrol, f, done); halfway++ {
		done = countActive(t, f)
	}
	if halfway == 0 {
		t.Error("always faster than the kill")
	}
	said := mustRun(t, at(env, dir), enrol...)
	var enrolled, skipped int
	if _, err := fmt.Sscanf(said, "enrolled %d, skipped %d", &enrolled, &skipped); err != nil || enrolled+skipped != boards {
		t.Errorf("said %q", said)
	}
	t.Logf("%d kills between the batches; the last run skipped %d boards", halfway, skipped)
	active := activeSerials(t, dir)
	if len(active) != boards {
		t.Errorf("%d boards active, want %d", len(active), boards)
	}
	sealed := openAll(t, out, factory)
	for m, serial := range active {
		if sealed[m] != serial {
			t.Errorf("%s: sealed is serial %s, in force is %s", m, sealed[m], serial)
		}
	}
	if len(sealed) != len(active) {
		t.Errorf("%d boards sealed, %d active", len(sealed), len(active))
	}
}

func writeBulk(t *testing.T, path string, boards int) {
	t.Helper()
	var list strings.Builder
	list.WriteString("mac,name\n")
	for i := range boards {
		fmt.Fprintf(&list, "246f28%06x,board %d\n", i, i)
	}
	if err := os.WriteFile(path, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// killAfter runs tcpboot and kills it at a random moment soon after more boards
// than done are active; false means that it had ended.
func killAfter(t *testing.T, env, args []string, f *registry.Fleet, done int) (killed bool) {
	t.Helper()
	cmd := exec.Command("tcpboot", args...)
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			return false
		case <-tick.C:
		}
		if countActive(t, f) > done {
			tick.Reset(time.Duration(1 + randomBelow(t, int64(200*time.Millisecond))))
			<-tick.C
			_ = cmd.Process.Kill()
			return <-ended != nil
		}
	}
}

func countActive(t *testing.T, f *registry.Fleet) int {
	t.Helper()
	n, err := f.Count(t.Context(), registry.Filter{States: []fleet.State{fleet.Active}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// activeSerials are the boards of a site with the credentials in force; no board
// is anything but active.
func activeSerials(t *testing.T, dir string) map[fleet.MAC]fleet.Serial {
	t.Helper()
	f, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(dir, "tcpboot.db"), registry.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	active := map[fleet.MAC]fleet.Serial{}
	for d, err := range f.Devices(t.Context(), registry.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.State != fleet.Active || len(d.Admissions) != 1 {
			t.Fatalf("%s is %s, with %d credentials", d.MAC, d.State, len(d.Admissions))
		}
		active[d.MAC] = d.Admissions[0].Serial
	}
	return active
}

// openAll opens all sealed files of a folder, which holds nothing else, and returns
// whose deliveries they hold. No board is in two.
func openAll(t *testing.T, dir string, id age.Identity) map[fleet.MAC]fleet.Serial {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[fleet.MAC]fleet.Serial{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), sealedSuffix) || strings.HasPrefix(e.Name(), ".") {
			t.Errorf("left behind: %s", e.Name())
			continue
		}
		for m, serial := range openSealed(t, filepath.Join(dir, e.Name()), id) {
			if _, twice := all[m]; twice {
				t.Errorf("%s is in two files, one of them %s", m, e.Name())
			}
			all[m] = serial
		}
	}
	return all
}

// openSealed opens one file, and checks that each board's certificate is the one
// that the index names.
func openSealed(t *testing.T, file string, id age.Identity) map[fleet.MAC]fleet.Serial {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := age.Decrypt(f, id)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	content := map[string][]byte{}
	archive := tar.NewReader(plain)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if content[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatalf("%s: %s: %v", file, h.Name, err)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(content[seal.IndexFile])).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	boards := map[fleet.MAC]fleet.Serial{}
	for _, row := range rows[1:] {
		m, err := fleet.ParseMAC(row[0])
		if err != nil {
			t.Fatal(err)
		}
		cert, err := parseCertificate(content[delivery.Path(m)+"/"+delivery.CertificateFile])
		if err != nil {
			t.Fatalf("%s: %s: %v", file, m, err)
		}
		if boards[m] = pki.SerialOf(cert); boards[m].String() != row[1] {
			t.Errorf("%s: %s: certificate %s, the index says %s", file, m, boards[m], row[1])
		}
		if len(content[delivery.Path(m)+"/"+delivery.KeyFile]) == 0 {
			t.Errorf("%s: %s: no key", file, m)
		}
	}
	return boards
}

// A list that is long is enrolled, told of and listed in one piece, in memory that
// has nothing to do with its length.
func TestBulkAnswers(t *testing.T) {
	t.Parallel()
	const boards = 2100
	dir, env := newSite(t)
	factory, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "boards.csv")
	writeBulk(t, list, boards)
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("tcpboot", args...)
		cmd.Env = at(env, dir)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	var answer struct {
		Enrolled []struct {
			MAC      fleet.MAC `json:"mac"`
			Delivery string    `json:"delivery"`
		} `json:"enrolled"`
		Skipped []struct {
			MAC fleet.MAC `json:"mac"`
		} `json:"skipped"`
	}
	decode(t, run("enroll", "--from", list, "--seal", factory.Recipient().String(), "--json"), &answer)
	files := map[string]int{}
	for _, e := range answer.Enrolled {
		files[e.Delivery]++
	}
	if len(answer.Enrolled) != boards || len(answer.Skipped) != 0 || len(files) != 3 {
		t.Errorf("%d enrolled, %d skipped, in %d files", len(answer.Enrolled), len(answer.Skipped), len(files))
	}
	decode(t, run("enroll", "--from", list, "--json"), &answer)
	if len(answer.Enrolled) != 0 || len(answer.Skipped) != boards {
		t.Errorf("again: %d enrolled, %d skipped", len(answer.Enrolled), len(answer.Skipped))
	}
	var all []fleet.Device
	decode(t, run("device", "list", "--json"), &all)
	lines := strings.Split(strings.TrimSpace(string(run("device", "list"))), "\n")
	if len(all) != boards || len(lines) != boards+1 {
		t.Errorf("%d listed as JSON, %d lines of text", len(all), len(lines))
	}
	// The first thousand rows make the columns.
	if head, last := lines[0], lines[boards]; !strings.HasPrefix(head, "MAC           NAME       STATE   HARDWARE  ") ||
		last != "246f28000833  board 2099  active  esp32     stable   -     tls,peap,ttls" {
		t.Errorf("table\n%s\n%s", head, last)
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(into); err != nil {
		t.Fatal(err)
	}
	if dec.More() {
		t.Error("more than one document")
	}
}
