package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/detached"
)

// A cut whose keys are elsewhere lies in cutsDir, with the numbers that it was given
// and every signature that it has, until all are there. What is signed later names
// what was signed before: the manifest its image, the statements their manifest. So it
// takes rounds, and each ends with the file in cutsDir being replaced.
const cutsDir = "cuts"

var cutToSignFlag = &cli.PathFlag{Name: "to-sign", Usage: "where keys are elsewhere: write what they are to sign into the folder `DIR`, and wait for release attach"}

var attachVerb = &cli.Command{
	Name:      "attach",
	Usage:     "bring signatures by keys that are elsewhere to the cut that waits for them",
	ArgsUsage: "DIR",
	Description: "DIR is that of --to-sign; its README says how to sign with openssl. Each NAME.sig in\n" +
		"it is verified with the site's public keys. Keys that are at hand by now sign as well.\n" +
		"What is still to be signed after that is put into DIR; with the last signature the\n" +
		"release exists. It can be run any number of times.",
	Action: withSite(releaseAttach),
}

var pendingVerb = &cli.Command{
	Name:      "pending",
	Usage:     "cuts that wait for signatures",
	ArgsUsage: "[VERSION]",
	Description: "With a VERSION, --to-sign writes its folder again, and --drop gives it up: its numbers\n" +
		"are given to no other release.",
	Flags: []cli.Flag{hardwareFlag,
		&cli.PathFlag{Name: "to-sign", Usage: "write what is to be signed into the folder `DIR`"},
		&cli.BoolFlag{Name: "drop", Usage: "give the cut up"},
	},
	Action: withSite(releasePending),
}

// A waitsError says that a version is being cut already.
type waitsError struct{ version, hardware string }

func (e *waitsError) Error() string {
	return fmt.Sprintf("release %s for %s: a cut of it waits for signatures", e.version, e.hardware)
}

func (s *session) cutFile(hardware, version string) string {
	return s.site.Path(cutsDir, hardware, version+".json")
}

// readCut reads a cut that waits; nil when there is none.
func (s *session) readCut(hardware, version string) (*cut, error) {
	file := s.cutFile(hardware, version)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &cut{}
	if err := strictJSON(text, c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, c.readAbout()
}

// keepCut puts a cut aside with all that it has.
func (s *session) keepCut(c *cut) error {
	c.Made = c.ledger.Made()
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	file := s.cutFile(c.Request.Hardware.Name, c.Request.Version)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return site.WriteFile(file, text, 0o644)
}

func (s *session) dropCut(c *cut) error {
	err := os.Remove(s.cutFile(c.Request.Hardware.Name, c.Request.Version))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A waitingCut is the answer about a cut that waits.
type waitingCut struct {
	Version    string            `json:"version"`
	Hardware   string            `json:"hardware"`
	Out        string            `json:"out,omitempty"`
	Attached   []string          `json:"attached"`   // in this run
	Signatures []detached.Wanted `json:"signatures"` // that are wanted
}

// wait puts c aside and says what is to be signed; dir is where that is put.
func (s *session) wait(c *cut, dir string, attached []string) error {
	if err := s.keepCut(c); err != nil {
		return err
	}
	w := s.waitingOf(c, attached)
	if w.Out = dir; dir != "" {
		if err := writeJob(detached.Job{Site: s.site.Settings.Name, Version: w.Version, Hardware: w.Hardware, Wanted: w.Signatures}, dir); err != nil {
			return err
		}
	}
	return answer(s.cli, w, w.print)
}

func (s *session) waitingOf(c *cut, attached []string) waitingCut {
	return waitingCut{
		Version: c.Request.Version, Hardware: c.Request.Hardware.Name,
		Attached: emptyNotNull(attached), Signatures: emptyNotNull(c.ledger.Wanted()),
	}
}

func (w waitingCut) print(out io.Writer) {
	if len(w.Attached) > 0 {
		fmt.Fprintf(out, "attached: %s\n", strings.Join(w.Attached, ", "))
	}
	fmt.Fprintf(out, "release %s for %s waits for %d signatures\n", w.Version, w.Hardware, len(w.Signatures))
	for _, one := range w.Signatures {
		fmt.Fprintf(out, "  %s: %s, by %s (%s)\n", one.Name, one.What, one.Key, one.Scheme)
	}
	if w.Out != "" {
		fmt.Fprintf(out, "%s says how to sign; then: tcpboot release attach %s\n", filepath.Join(w.Out, "README"), w.Out)
	}
}

// writeJob lays down what is to be signed. Signatures from a round before are left
// where they are, and looked at no more.
func writeJob(j detached.Job, dir string) error {
	files, err := j.Files(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := site.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func releaseAttach(s *session) error {
	if err := wantArgs(s.cli, 1, "the folder of --to-sign"); err != nil {
		return err
	}
	unlock, err := s.site.Lock(cutsDir)
	if err != nil {
		return err
	}
	defer unlock()
	dir := s.cli.Args().First()
	c, err := s.cutOf(dir)
	if err != nil {
		return err
	}
	if err := s.openCutKeys(c, s.orElsewhere); err != nil {
		return err
	}
	if _, err := c.make(); err != nil && !errors.Is(err, detached.ErrElsewhere) { // to know what is wanted
		return err
	}
	signatures, err := readSignatures(dir, c.ledger.Wanted())
	if err != nil {
		return err
	}
	attached, err := c.ledger.Attach(signatures)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return s.finishCut(c, dir, attached)
}

// cutOf finds the cut that a folder is of.
func (s *session) cutOf(dir string) (*cut, error) {
	text, err := readAtMost(filepath.Join(dir, detached.JobFile), detached.MaxJob)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, errNoJob)
	}
	if err != nil {
		return nil, err
	}
	j, err := detached.ReadJob(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if j.Site != s.site.Settings.Name {
		return nil, fmt.Errorf("%s: of site %.63q, this is %s", dir, j.Site, s.site.Settings.Name)
	}
	if err := errors.Join(fleet.CheckName("version", j.Version), fleet.CheckName("hardware", j.Hardware)); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return s.waitingCut(j.Hardware, j.Version)
}

// waitingCut is readCut where there must be one.
func (s *session) waitingCut(hardware, version string) (*cut, error) {
	c, err := s.readCut(hardware, version)
	if err == nil && c == nil {
		err = fmt.Errorf("release %s for %s: %w", version, hardware, errNoCutWaits)
	}
	return c, err
}

var errNoJob = errors.New("no " + detached.JobFile + " in it, which says what is to be signed")

var errNoCutWaits = errors.New("no cut of it waits for signatures")

// readSignatures reads what has come back of that which is wanted.
func readSignatures(dir string, wanted []detached.Wanted) (map[string][]byte, error) {
	found := map[string][]byte{}
	for _, w := range wanted {
		signature, err := readAtMost(filepath.Join(dir, w.SignatureFile()), detached.MaxSignature)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[w.SignatureFile()] = signature
	}
	return found, nil
}

func releasePending(s *session) error {
	unlock, err := s.site.Lock(cutsDir)
	if err != nil {
		return err
	}
	defer unlock()
	switch n := s.cli.NArg(); {
	case n > 1:
		return usagef("release pending: want one version, got %d", n)
	case n == 0 && (s.cli.IsSet("to-sign") || s.cli.Bool("drop")):
		return usagef("release pending: --to-sign and --drop want a version")
	}
	cuts, err := s.waitingCuts(s.cli.Args().First(), s.cli.String("hardware"))
	if err != nil {
		return err
	}
	if s.cli.NArg() == 0 {
		return s.listPending(cuts)
	}
	switch len(cuts) {
	case 0:
		return fmt.Errorf("release %s%s: %w", s.cli.Args().First(), forHardware(s.cli.String("hardware")), errNoCutWaits)
	case 1:
	default:
		return usagef("release pending: cuts of %s for %d kinds of boards wait: name one with --hardware", s.cli.Args().First(), len(cuts))
	}
	if s.cli.Bool("drop") {
		return s.giveUp(cuts[0])
	}
	return s.finishCut(cuts[0], s.cli.Path("to-sign"), nil)
}

func (s *session) giveUp(c *cut) error {
	q := c.Request
	if err := s.fleet.Record(s.ctx(), "release.drop", q.Hardware.Name+"/"+q.Version, jsonText(map[string]any{"counter": q.Counter})); err != nil {
		return err
	}
	if err := s.dropCut(c); err != nil {
		return err
	}
	return answer(s.cli, map[string]string{"dropped": q.Version, "hardware": q.Hardware.Name}, func(w io.Writer) {
		fmt.Fprintf(w, "the cut of release %s for %s is given up\n", q.Version, q.Hardware.Name)
	})
}

// waitingCuts lists the cuts that wait, with what each wants; version "" and hardware
// "" are any.
func (s *session) waitingCuts(version, hardware string) (all []*cut, err error) {
	files, err := filepath.Glob(filepath.Join(globQuote(s.site.Path(cutsDir)), "*", "*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, file := range files {
		h, v := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".json")
		if version != "" && v != version || hardware != "" && h != hardware {
			continue
		}
		c, err := s.readCut(h, v)
		if err != nil || c == nil {
			return nil, err
		}
		if err := s.openCutKeys(c, s.elsewhere); err != nil {
			return nil, err
		}
		if _, err := c.make(); err != nil && !errors.Is(err, detached.ErrElsewhere) {
			return nil, fmt.Errorf("release %s for %s: %w", v, h, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func (s *session) listPending(cuts []*cut) error {
	var all []waitingCut
	for _, c := range cuts {
		all = append(all, s.waitingOf(c, nil))
	}
	return answer(s.cli, emptyNotNull(all), func(out io.Writer) {
		for _, w := range all {
			w.print(out)
		}
	})
}
