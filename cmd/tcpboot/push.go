package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/urfave/cli/v2"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/remote"
)

var plainHTTPFlag = &cli.BoolFlag{Name: "plain-http", Usage: "speak to the registry without TLS", DefaultText: "only on this machine"}

const aboutCredentials = "Names and passwords are those of the Docker configuration: `auths` of config.json in\n" +
	"DOCKER_CONFIG, or in ~/.docker. Credential helpers are not run: they would be looked\n" +
	"up in PATH."

var pushVerb = &cli.Command{
	Name:      "push",
	Usage:     "put releases into an OCI registry",
	ArgsUsage: "VERSION... oci://HOST/REPOSITORY[:TAG]",
	Description: "Each release is proved, then sent with its statements as far as it is not there, and\n" +
		"at last listed under the tag of its version. TAG, with one VERSION, is a tag more,\n" +
		"which moves. cosign verifies a release by its digest (`release show` calls it\n" +
		"packed); with --sign also the list that the tag names, until somebody adds to it.\n" +
		"Running it again finishes what was cut off.\n\n" + aboutCredentials,
	BashComplete: completeVersions,
	Flags: []cli.Flag{hardwareFlag, plainHTTPFlag,
		&cli.BoolFlag{Name: "sign", Usage: "sign for cosign what the tag names, and what cut has not signed, having been older"},
	},
	Action: withSite(releasePush),
}

var pullVerb = &cli.Command{
	Name:      "pull",
	Usage:     "get releases from an OCI registry",
	ArgsUsage: "oci://HOST/REPOSITORY:TAG|@DIGEST",
	Description: "Nothing becomes a release before all of it is here, is what its digests say, and\n" +
		"holds against the site's keys.\n\n" + aboutCredentials,
	Flags:  []cli.Flag{hardwareFlag, plainHTTPFlag},
	Action: withSite(releasePull),
}

// A pushed is a version that was put into a registry.
type pushed struct {
	Version   string       `json:"version"`
	Reference string       `json:"reference"`
	Digest    string       `json:"digest"` // of the index
	Blobs     int          `json:"blobs"`  // that were sent
	Bytes     int64        `json:"bytes"`
	Complete  bool         `json:"complete"` // it was all there
	Releases  []pushedPart `json:"releases"`
}

// A pushedPart is one statement of a pushed version.
type pushedPart struct {
	Hardware string       `json:"hardware"`
	Manifest fleet.Digest `json:"manifest"`
	Digest   string       `json:"digest"` // of the image manifest
}

func releasePush(s *session) error {
	n := s.cli.NArg()
	if n < 2 {
		return usagef("release push: want versions and an oci://HOST/REPOSITORY, got %d arguments", n)
	}
	versions := s.cli.Args().Slice()[:n-1]
	to, err := remote.ParseReference(s.cli.Args().Get(n - 1))
	if err != nil {
		return usageError{err}
	}
	if to.IsDigest() || to.Name != "" && len(versions) > 1 {
		return usagef("release push: %s: a digest cannot be pushed to, and a tag takes one version", to)
	}
	layout, err := s.layout()
	if err != nil {
		return err
	}
	packed, err := s.toPush(layout, versions)
	if err != nil {
		return err
	}
	line := newTraffic(s.cli, "KiB sent:")
	defer line.done()
	repo, err := s.repository(to, line)
	if err != nil {
		return err
	}
	var out []pushed
	for i, v := range versions {
		line.expect(packed[i]...)
		done, err := repo.Push(s.ctx(), layout.Layout, v, packed[i], to.Name, s.counted)
		if err == nil && s.cli.Bool("sign") {
			err = s.signIndex(repo, v, done)
		}
		if err != nil {
			return err
		}
		out = append(out, pushedOf(v, to, done, packed[i]))
		if err := s.recordPush(out[i]); err != nil {
			return err
		}
	}
	line.done()
	return answer(s.cli, out, func(w io.Writer) {
		for _, p := range out {
			p.text(w)
		}
	})
}

func (p pushed) text(w io.Writer) {
	if p.Complete {
		fmt.Fprintf(w, "%s is in %s, as it was\n", p.Version, p.Reference)
	} else {
		fmt.Fprintf(w, "%s is in %s: %d blobs sent, %d bytes\n", p.Version, p.Reference, p.Blobs, p.Bytes)
	}
	fmt.Fprintf(w, "index %s\n", p.Digest)
}

// toPush proves versions, and signs what is packed of them where that is wanted.
func (s *session) toPush(layout *depot, versions []string) (packed [][]*bundle.Packed, err error) {
	for _, v := range versions {
		all, err := s.provedPacked(layout, v)
		if err != nil {
			return nil, err
		}
		packed = append(packed, all)
	}
	if s.cli.Bool("sign") {
		err = s.signPacked(layout, slices.Concat(packed...))
	}
	return packed, err
}

// provedPacked is what there is of a version, after each has been proved.
func (s *session) provedPacked(layout *depot, version string) ([]*bundle.Packed, error) {
	hardware := s.cli.String("hardware")
	all, err := layout.Packed(s.ctx(), version, hardware)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("release %s%s: %w", version, forHardware(hardware), errNoRelease)
	}
	if err != nil {
		return nil, err
	}
	all = s.countingPacked(all)
	for _, p := range all {
		whole, err := layout.Load(s.ctx(), p.Release.Digest)
		if err == nil {
			err = s.verifyWhole(whole)
		}
		if err == nil {
			err = layout.bring(s.ctx(), p)
		}
		if err != nil {
			return nil, fmt.Errorf("release %s for %s: %w", version, p.Release.Manifest.Hardware, err)
		}
	}
	return all, nil
}

// signPacked attaches to each the signatures for cosign that it lacks.
func (s *session) signPacked(layout *depot, all []*bundle.Packed) error {
	key, err := s.releaseSigner()
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := layout.Sign(s.ctx(), p, key); err != nil {
			return err
		}
	}
	return nil
}

// signIndex attaches a signature to what the tag of the version names now, unless it
// has one.
func (s *session) signIndex(repo *remote.Repository, version string, done *remote.Push) error {
	key, err := s.releaseSigner()
	if err != nil {
		return err
	}
	files, err := attachedIn(s.ctx(), repo, done.Index)
	if err != nil {
		return err
	}
	missing, err := bundle.SignIndex(version, done.Index, files, key)
	if err != nil {
		return err
	}
	wrote, err := repo.Attach(s.ctx(), done.Index, missing)
	done.Complete = done.Complete && !wrote
	return err
}

func pushedOf(version string, to remote.Reference, done *remote.Push, packed []*bundle.Packed) pushed {
	to.Name = version
	p := pushed{Version: version, Reference: to.String(), Digest: done.Index.Digest.String(), Blobs: done.Blobs, Bytes: done.Bytes, Complete: done.Complete}
	for _, one := range packed {
		p.Releases = append(p.Releases, pushedPart{one.Release.Manifest.Hardware, one.Release.Digest, one.Descriptor.Digest.String()})
	}
	return p
}

func (s *session) recordPush(p pushed) error {
	if p.Complete {
		return nil
	}
	return s.fleet.Record(s.ctx(), "release.push", p.Version, jsonText(map[string]any{"to": p.Reference, "index": p.Digest}))
}

// pullAction is the audit row of a release that comes from elsewhere.
const pullAction = "release.pull"

// A pulledRelease is a release that a registry had.
type pulledRelease struct {
	Version  string       `json:"version"`
	Hardware string       `json:"hardware"`
	Digest   fleet.Digest `json:"digest"`
	New      bool         `json:"new"`
}

func releasePull(s *session) error {
	if err := wantArgs(s.cli, 1, "an oci://HOST/REPOSITORY with :TAG or @DIGEST"); err != nil {
		return err
	}
	from, err := remote.ParseReference(s.cli.Args().First())
	if err == nil && from.Name == "" {
		err = fmt.Errorf("%s: want a :TAG or a @DIGEST behind it", from)
	}
	if err != nil {
		return usageError{err}
	}
	layout, err := s.layout()
	if err != nil {
		return err
	}
	had, err := s.digests(layout)
	if err != nil {
		return err
	}
	line := newTraffic(s.cli, "KiB got:")
	defer line.done()
	repo, err := s.repository(from, line)
	if err != nil {
		return err
	}
	hardware := s.cli.String("hardware")
	wanted := func(r *release.Release) bool {
		return (hardware == "" || r.Manifest.Hardware == hardware) && !s.ended(r)
	}
	all, err := layout.Pull(s.ctx(), repo, from.Name, wanted, func(r *release.Release) error {
		if err := s.checkPulled(r, line); err != nil || r.Images == nil || had[r.Digest] {
			return err
		}
		return s.recordPull(from, r) // before it is here: its head is another registry's
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s%s: %w", from, forHardware(hardware), errNoRelease)
	}
	if err == nil {
		err = layout.adopt(s.ctx(), all)
	}
	if err != nil {
		return err
	}
	line.done()
	var out []pulledRelease
	for _, r := range all {
		out = append(out, pulledRelease{r.Manifest.Version, r.Manifest.Hardware, r.Digest, !had[r.Digest]})
	}
	return answer(s.cli, out, func(w io.Writer) {
		for _, p := range out {
			p.text(w)
		}
	})
}

func (p pulledRelease) text(w io.Writer) {
	what := "is here already"
	if p.New {
		what = "pulled and proved"
	}
	fmt.Fprintf(w, "release %s for %s: %s, manifest %s\n", p.Version, p.Hardware, what, p.Digest)
}

func (s *session) recordPull(from remote.Reference, r *release.Release) error {
	return s.fleet.Record(s.ctx(), pullAction, r.Manifest.Hardware+"/"+r.Manifest.Version,
		jsonText(map[string]any{"from": from.String(), "manifest": r.Digest}))
}

// checkPulled holds what comes from a registry against the site's keys: first
// what is stated, then all of it.
func (s *session) checkPulled(r *release.Release, line *traffic) error {
	if r.Images != nil {
		return s.verifyWhole(r)
	}
	line.expectBytes(bytesOf(r))
	return s.proves(r)
}

// digests are the statements that the layout has.
func (s *session) digests(layout *depot) (map[fleet.Digest]bool, error) {
	all, err := layout.Releases(s.ctx())
	if err != nil {
		return nil, err
	}
	had := map[fleet.Digest]bool{}
	for _, r := range all {
		had[r.Digest] = true
	}
	return had, nil
}

// repository opens a repository with the credentials that people keep for Docker.
func (s *session) repository(at remote.Reference, line *traffic) (*remote.Repository, error) {
	file, err := dockerConfig()
	if err != nil {
		return nil, err
	}
	store, err := credentials.NewFileStore(file)
	if err != nil {
		return nil, err
	}
	plain := at.Loopback()
	if s.cli.IsSet("plain-http") {
		plain = s.cli.Bool("plain-http")
	}
	return remote.Open(at, remote.Options{
		PlainHTTP: plain, Credential: credentials.Credential(store), Proxy: http.ProxyFromEnvironment, Moved: line.moved,
	})
}

func dockerConfig() (string, error) {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".docker", "config.json"), err
}

// A traffic is the progress of what moves to or from a registry, in KiB. What is
// there already does not move, so that it may end early.
type traffic struct {
	*progress
	bytes, total atomic.Int64
}

func newTraffic(c *cli.Context, what string) *traffic {
	return &traffic{progress: newProgress(c, what)}
}

func (t *traffic) expect(all ...*bundle.Packed) {
	for _, p := range all {
		t.expectBytes(bytesOf(p.Release))
	}
}

func (t *traffic) expectBytes(n int64) { t.total.Add(n) }

func (t *traffic) moved(n int) {
	done, total := t.bytes.Add(int64(n)), t.total.Load()
	if done = min(done, total); done > 0 {
		t.update(int(done>>10), int(total>>10))
	}
}

func bytesOf(r *release.Release) (n int64) {
	for _, c := range r.Manifest.Components() {
		n += c.Size
	}
	return n
}
