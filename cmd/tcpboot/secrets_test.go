package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// TestSecretsStaySecret goes through a site's life with the most careless umask
// there is, and looks for every secret of it in what was printed and logged, in
// the audit trail, and in all files of the site.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	dir, env := newSite(t)
	l := &life{T: t, dir: dir, env: env, secrets: map[string]string{}}
	l.keys()
	l.live()
	l.nothingSaid()
	l.nothingReadable()
}

// A life is a site from enrolment to revocation, with all that it said.
type life struct {
	*testing.T
	dir     string
	env     []string
	said    bytes.Buffer
	secrets map[string]string // text → what it is
}

// run runs tcpboot and keeps what it says. The umask takes nothing away.
func (l *life) run(args ...string) {
	l.Helper()
	if err := l.try(args...); err != nil {
		l.Fatalf("tcpboot %v: %v\n%s", args, err, &l.said)
	}
}

func (l *life) try(args ...string) error {
	cmd := exec.Command("sh", append([]string{"-c", `umask 0; exec tcpboot "$@"`, "sh"}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = l.dir, l.env, &l.said, &l.said
	return cmd.Run()
}

// refused is run for what must fail: errors are where secrets slip out.
func (l *life) refused(args ...string) {
	l.Helper()
	if l.try(args...) == nil {
		l.Fatalf("tcpboot %v: no error", args)
	}
}

func (l *life) write(name, text string) {
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
}

// live is the story. Deliveries are looked at before they are replaced.
func (l *life) live() {
	l.write("app.bin", string(espimage.Build(espimage.Spec{Chip: "esp32", Version: "1", Project: "app"})))
	l.write("other.pass", "not the passphrase\n")
	l.write("boards.csv", "mac,name\n246f28aa1002,a\n246f28aa1003,b\n")
	l.write("bad.csv", "mac,vlan\n246f28aa1004,70000\n")
	l.run("enroll", "--from", "boards.csv", "--json")
	l.run("enroll", "246f28aa1004")
	l.deliveries()
	l.run("enroll", "246f28aa1004")
	l.refused("enroll", "246f28aa1004", "--vlan", "7")
	l.refused("enroll", "--from", "bad.csv")
	l.refused("enroll", "246f28aa1009", "--passphrase-file", "other.pass")
	l.run("radius", "export")
	l.run("radius", "export", "--format", "authorize", "--out", "fragment")
	l.run("loader", "export", "246f28aa1002", "--out", "loader", "--level", "1")
	l.run("loader", "export", "246f28aa1002", "--project", "loader")
	l.write("loader/sdkconfig", "CONFIG_EAP_PASSWORD=\"stale\"\n")
	l.run("loader", "export", "246f28aa1002", "--project", "loader", "--json")
	l.run("rotate", "246f28aa1002", "--grace", "24h")
	l.run("rotate", "246f28aa1003", "--reason", "lost", "--json")
	l.deliveries()
	l.run("revoke", "246f28aa1004", "--json")
	l.run("key", "list")
	l.run("key", "check")
	l.refused("key", "check", "--passphrase-file", "other.pass")
	l.refused("key", "check", "--recovery", "--code-file", "other.pass")
	l.run("key", "check", "--recovery", "--code-file", "recovery.code")
	l.run("release", "cut", "app.bin", "--version", "1")
	l.run("release", "publish", "1")
	l.visit()
	for _, verb := range []string{"device list", "device show 246f28aa1002", "audit list", "audit verify", "why 246f28aa1002", "release show 1", "release verify 1"} {
		l.run(strings.Fields(verb)...)
		l.run(append(strings.Fields(verb), "--json")...)
	}
	l.run("audit", "export", "--out", "audit.copy")
	l.run("backup", "site.backup")
	l.refused("restore", "site.backup", "--site", "elsewhere", "--passphrase-file", "other.pass")
	l.refused("key", "recover", "--all", "--code-file", "nowhere", "boards-ca")
	l.refused("status")
}

// visit serves a board, and keeps the log.
func (l *life) visit() {
	cmd := exec.Command("tcpboot", "serve", "--listen", "127.0.0.1:0")
	cmd.Env = l.env
	end, err := start(cmd, "listening")
	if err != nil {
		l.Fatal(err)
	}
	said, err := end()
	if err != nil {
		l.Fatal(err)
	}
	l.said.WriteString(said)
}

// keys notes the secrets that a site has from the beginning.
func (l *life) keys() {
	l.secrets[readyPassphrase] = "the passphrase"
	l.note("the recovery code", strings.TrimSpace(l.read("recovery.code")))
	l.note("the access points' secret", strings.TrimSpace(l.read("keys/radius-client.secret")))
	files, err := filepath.Glob(filepath.Join(l.dir, "keys", "*.pem"))
	if err != nil || len(files) == 0 {
		l.Fatalf("no keys: %v", err)
	}
	for _, file := range files {
		plain, err := exec.Command("openssl", "pkey", "-in", file, "-passin", "file:"+filepath.Join(readyDir, "passphrase")).Output()
		if err != nil {
			l.Fatal(err)
		}
		l.noteKey("the key in "+filepath.Base(file), string(plain))
	}
}

// deliveries notes the secrets of all boards as they are delivered now.
func (l *life) deliveries() {
	places, err := filepath.Glob(filepath.Join(l.dir, "boards", "*", "*"))
	if err != nil || len(places) == 0 {
		l.Fatalf("no deliveries: %v", err)
	}
	for _, place := range places {
		name, _ := filepath.Rel(l.dir, place)
		config, err := kconfig.ReadDefaults(place, []byte(l.read(name+"/sdkconfig.defaults")))
		if err != nil {
			l.Fatal(err)
		}
		password, ok := config.Get("EAP_PASSWORD")
		if !ok {
			l.Fatalf("%s: no password", name)
		}
		l.note("the password of "+name, password.Text)
		hash := pki.NTHash(password.Text).Hex()
		l.note("the NT hash of "+name, hash)
		l.note("the NT hash of "+name, strings.ToLower(hash))
		l.noteKey("the key of "+name, l.read(name+"/main/wpa2_client.key"))
	}
}

func (l *life) read(name string) string {
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

func (l *life) note(what, text string) {
	if len(text) < 20 {
		l.Fatalf("%s is short: %d characters", what, len(text))
	}
	l.secrets[text] = what
}

// noteKey notes the lines of a key's PEM body that hold its secret part: the
// first and the last can be the same for many keys.
func (l *life) noteKey(what, text string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) < 4 {
		l.Fatalf("%s: %d lines of PEM", what, len(lines))
	}
	l.note(what, lines[2])
}

// nothingSaid looks for secrets in all output.
func (l *life) nothingSaid() {
	said := l.said.String()
	if !strings.Contains(said, "246f28aa1002") {
		l.Fatal("the output was not kept")
	}
	for secret, what := range l.secrets {
		if strings.Contains(said, secret) {
			l.Errorf("%s was printed", what)
		}
	}
	if strings.Contains(said, "PRIVATE KEY") {
		l.Error("a private key was printed")
	}
}

// nothingReadable looks for secrets in all files: others may read none of them,
// and what the registry keeps is no password and no key.
func (l *life) nothingReadable() {
	found := map[string]bool{}
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(l.dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := l.read(name)
		for secret, what := range l.secrets {
			if !strings.Contains(text, secret) {
				continue
			}
			found[what] = true
			if info.Mode().Perm()&0o007 != 0 {
				l.Errorf("%s: mode %v lets others read %s", name, info.Mode(), what)
			}
			if !mayHold(name, what) {
				l.Errorf("%s holds %s", name, what)
			}
		}
		return nil
	})
	if err != nil {
		l.Fatal(err)
	}
	if !found["the password of boards/02/246f28aa1002"] {
		l.Error("the search finds not even what is there")
	}
}

// mayHold says where secrets are meant to lie.
func mayHold(file, what string) bool {
	top, _, _ := strings.Cut(filepath.ToSlash(file), "/")
	switch {
	case top == "boards", top == "loader": // deliveries
		return strings.Contains(what, " of boards/") && !strings.Contains(what, "NT hash")
	case top == "radius":
		return strings.Contains(what, "NT hash") || what == "the key in radius.pem" || what == "the access points' secret"
	case top == "fragment", top == "tcpboot.db", top == "tcpboot.db-wal":
		return strings.Contains(what, "NT hash")
	case file == "recovery.code":
		return what == "the recovery code"
	case file == "keys/radius-client.secret":
		return what == "the access points' secret"
	}
	return false
}

// TestNoFlagTakesASecret: what stands on a command line, every process of the
// machine can read. (init --key takes a URI, which is refused when it bears one.)
func TestNoFlagTakesASecret(t *testing.T) {
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	flags := app.Flags
	var walk func([]*cli.Command)
	walk = func(verbs []*cli.Command) {
		for _, v := range verbs {
			flags = append(flags, v.Flags...)
			walk(v.Subcommands)
		}
	}
	walk(app.Commands)
	secret := regexp.MustCompile(`pass|secret|code|token|pwd|pin-`)
	seen := 0
	for _, f := range flags {
		for _, name := range f.Names() {
			if _, isPath := f.(*cli.PathFlag); secret.MatchString(name) && !isPath {
				t.Errorf("--%s takes a value of type %T, not a file", name, f)
			} else if isPath {
				seen++
			}
		}
	}
	if seen == 0 {
		t.Error("no flag was looked at")
	}
}
