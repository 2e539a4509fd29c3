package main

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// demanded are the options of a level, and of the partition that our loader opens as
// the flags have it made.
func (s *session) demanded(h release.Hardware, level int) ([]kconfig.Assignment, error) {
	options, err := delivery.LoaderOptions(h.Chip, h.MinRevision, string(h.Scheme), level)
	if err != nil || level < ourLevel {
		return options, err
	}
	form, err := nvsForm(s.cli)
	if err != nil {
		return nil, err
	}
	more, err := delivery.NVSOptions(h.Chip, form, s.cli.Int("nvs-hmac-block"))
	return append(options, more...), err
}

// withOptions adds the options of a level to a delivery: what makes a loader
// refuse unsigned updates, and for V1 the key that it checks them with.
func (s *session) withOptions(files delivery.Files, h release.Hardware, level int) (delivery.Files, error) {
	options, err := s.demanded(h, level)
	if err != nil || len(options) == 0 {
		return files, err
	}
	config, err := kconfig.ReadDefaults(delivery.DefaultsFile, files[delivery.DefaultsFile])
	if err != nil {
		return nil, err
	}
	if _, err := delivery.Merge(config, options); err != nil {
		return nil, err
	}
	files[delivery.DefaultsFile] = config.Bytes()
	if h.Scheme != espimage.V1 {
		say(s.cli, "the loader itself must be signed: tcpboot loader sign build/loader.bin --hardware %s --out signed.bin", h.Name)
		return files, nil
	}
	pub, err := s.public(appKeyFor(h.Scheme))
	if err != nil {
		return nil, err
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the V1 app key is no ECDSA key")
	}
	files[delivery.VerificationKeyFile], err = espimage.KeyV1(key)
	return files, err
}

// exportInto writes a board's files into a loader's source tree. What is there
// keeps its other lines; a path that git tracks is refused, because secrets
// would be committed with it. Our loader's own files are laid down first.
func exportInto(s *session, project string, e *loaderTree) error {
	if err := e.layDown(project); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(project, "main")); err != nil {
		return fmt.Errorf("%s: no loader's source tree: %w", project, err)
	}
	for name := range e.files {
		if slices.Contains(e.open, name) {
			continue
		}
		if err := refuseTracked(project, name); err != nil {
			return err
		}
	}
	merged, wanted, err := mergeDefaults(project, e.files[delivery.DefaultsFile])
	if err != nil {
		return err
	}
	if err := s.settleStale(project, wanted); err != nil {
		return err
	}
	e.files[delivery.DefaultsFile] = merged
	for name, text := range e.files {
		if err := site.WriteFile(filepath.Join(project, name), text, e.perm(name)); err != nil {
			return err
		}
	}
	return nil
}

// A trackedError says that a file would be committed with the board's secrets.
type trackedError struct{ path string }

func (e *trackedError) Error() string { return e.path + ": git tracks it, and it would hold secrets" }

// refuseTracked asks git, whose configuration may name programs to run: those of
// a tree that somebody else made are not run.
func refuseTracked(project, name string) error {
	if !inGit(project) {
		return nil
	}
	git := exec.Command("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", project, "ls-files", "--error-unmatch", "--", name)
	err := git.Run()
	var status *exec.ExitError
	switch {
	case err == nil:
		return &trackedError{filepath.Join(project, name)}
	case errors.As(err, &status) && status.ExitCode() == 1:
		return nil
	}
	return fmt.Errorf("%s: cannot tell whether git tracks it, so no secrets go there: git ls-files: %w", filepath.Join(project, name), err)
}

// inGit reports whether dir lies in a git work tree.
func inGit(dir string) bool {
	dir, err := filepath.Abs(dir)
	for err == nil {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return false
}

// mergeDefaults puts the board's options into an existing sdkconfig.defaults.
func mergeDefaults(project string, ours []byte) (merged []byte, wanted []kconfig.Assignment, err error) {
	path := filepath.Join(project, delivery.DefaultsFile)
	theirs, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	absent := err != nil
	merged, wanted, err = mergeOver(path, theirs, ours)
	if absent {
		merged = ours
	}
	return merged, wanted, err
}

// mergeOver sets the options of ours in theirs, a file's text.
func mergeOver(file string, theirs, ours []byte) (merged []byte, wanted []kconfig.Assignment, err error) {
	config, err := kconfig.ReadDefaults(delivery.DefaultsFile, ours)
	if err != nil {
		return nil, nil, err
	}
	for e := range config.All() {
		wanted = append(wanted, e.Assignment)
	}
	into, err := kconfig.ReadDefaults(file, theirs)
	if err != nil {
		return nil, nil, err
	}
	_, err = delivery.Merge(into, wanted)
	return into.Bytes(), wanted, err
}

// settleStale sets the board's options in a project's sdkconfig, which beats
// every defaults file: a stale value there would silently build another board.
func (s *session) settleStale(project string, wanted []kconfig.Assignment) error {
	path := filepath.Join(project, "sdkconfig")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	config, err := kconfig.Read(path, text)
	if err != nil {
		return err
	}
	stale, err := delivery.Merge(config, wanted)
	if err != nil || len(stale) == 0 {
		return err
	}
	if err := refuseTracked(project, "sdkconfig"); err != nil {
		return err
	}
	var names []string
	for _, o := range stale {
		names = append(names, o.String())
	}
	say(s.cli, "%s had other values of %s, which beat defaults: they are set too", path, strings.Join(names, ", "))
	if bytes.Equal(text, config.Bytes()) {
		return nil
	}
	return site.WriteFile(path, config.Bytes(), 0o600)
}
