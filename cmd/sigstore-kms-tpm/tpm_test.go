package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

// swtpm starts a TPM in software, and names a key in it.
func swtpm(t *testing.T) func(name string) string {
	t.Helper()
	program, err := exec.LookPath("swtpm")
	if err != nil {
		t.Fatal("swtpm is needed: install the Debian package swtpm")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "tpm")
	for _, folder := range []string{"state", "keys"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(program, "socket", "--tpm2", "--tpmstate", "dir="+dir+"/state",
		"--server", "type=unixio,fd=3", "--flags", "not-need-init,startup-clear")
	cmd.ExtraFiles = []*os.File{file} // it listens already: nobody waits for it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return func(name string) string {
		return "name=" + name + ";storage-directory=" + dir + "/keys?device=" + socket
	}
}

// RSA keys with 3072 bits the library below does not make.
func TestTPM(t *testing.T) {
	c := helpertest.Contract{
		Asker: helpertest.Asker{Program: program}, Key: swtpm(t),
		Lacks: []string{"rsa-sign-pkcs1-3072-sha256", "rsa-sign-pss-3072-sha256"},
	}
	c.Check(t)
}

func TestNames(t *testing.T) {
	const folder = ";storage-directory=/var/lib/tcpboot/tpm"
	for name, row := range map[string]struct{ key, want string }{
		"no name":             {"storage-directory=/var/lib/tcpboot/tpm", "name: want"},
		"a path for a name":   {"name=../app" + folder, "name: want"},
		"no folder":           {"name=app", "storage-directory: want"},
		"a folder by detour":  {"name=app;storage-directory=/var/../tpm", "storage-directory: want"},
		"a device by name":    {"name=app" + folder + "?device=tpmrm0", "device: want"},
		"a password":          {"name=app" + folder + "?owner-password=4321", "want attributes"},
		"no such folder":      {"name=app;storage-directory=/nowhere", "storage-directory: open /nowhere"},
		"no such device":      {"name=app;storage-directory=" + t.TempDir() + "?device=/nowhere", "no such file"},
		"what is not a TPM's": {"name=app;storage-directory=" + t.TempDir() + "?device=/dev/null", "TPM"},
	} {
		answer := (helpertest.Asker{Program: program, Secret: "4321"}).Create(t, row.key, "ecdsa-sha2-256-nistp256")
		if !strings.Contains(answer.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, answer.ErrorMessage, row.want)
		}
	}
}

// A key of another TPM is of no use to whoever has the folder.
func TestFolderOfAnotherTPM(t *testing.T) {
	ours, theirs := swtpm(t), swtpm(t)
	ask := helpertest.Asker{Program: program}
	if made := ask.Create(t, ours("app"), "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	_, device, _ := strings.Cut(theirs("app"), "?")
	stolen, _, _ := strings.Cut(ours("app"), "?")
	if answer := ask.Public(t, stolen+"?"+device); answer.ErrorMessage == "" {
		t.Error("another TPM opened the key")
	}
}

// Many processes may ask at once, as the making of a site does.
func TestManyAtOnce(t *testing.T) {
	key := swtpm(t)
	ask := helpertest.Asker{Program: program}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if made := ask.Create(t, key(fmt.Sprint("app", i)), "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
				t.Error(made.ErrorMessage)
			}
		})
	}
	all.Wait()
}

func TestWithTcpboot(t *testing.T) {
	key := swtpm(t)
	if made := (helpertest.Asker{Program: program}).Create(t, key("app"), "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	helpertest.SignsImage(t, "tpm:"+key("app"))
}
