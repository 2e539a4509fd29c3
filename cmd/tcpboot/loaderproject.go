package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/templates"
)

// ourLevel is the level of the loader that we lay down.
const ourLevel = 2

// What is built into our loader, the same for all boards of a site.
const (
	siteDocumentFile = "main/site.cose"
	serversRootFile  = "main/servers_root.pem"
)

// credSize is the size of the partition cred in our loader's partitions.csv.
const credSize = 0x7000

// A loaderTree is what a loader's project gets.
type loaderTree struct {
	files   delivery.Files    // values: written anew each time
	open    []string          // the names of those that hold no secret
	sources map[string][]byte // our loader: laid down where it is missing, and never changed
}

// ours makes the tree of our loader's project. With the credentials in a partition,
// nothing but that partition is one board's own: the project is the same for all
// boards of a hardware and a channel, and holds no secret.
func (s *session) ours(files delivery.Files, d fleet.Device) (*loaderTree, error) {
	config, err := kconfig.ReadDefaults(delivery.DefaultsFile, files[delivery.DefaultsFile])
	if err != nil {
		return nil, err
	}
	e := &loaderTree{files: files, open: []string{siteDocumentFile, serversRootFile, delivery.VerificationKeyFile}}
	if !embedded(config) {
		for _, name := range []string{delivery.CAFile, delivery.CertificateFile, delivery.KeyFile} {
			delete(files, name)
		}
		for o := range config.All() {
			if delivery.Secret(o.Name) {
				config.Unset(o.Name)
			}
		}
		e.open = append(e.open, delivery.DefaultsFile)
	}
	_, err = delivery.Merge(config, []kconfig.Assignment{
		{Name: "TCPBOOT_HARDWARE", Value: kconfig.String(d.Hardware)},
		{Name: "TCPBOOT_CHANNEL", Value: kconfig.String(d.Channel)},
	})
	if err != nil {
		return nil, err
	}
	files[delivery.DefaultsFile] = config.Bytes()
	if err := s.addSite(files); err != nil {
		return nil, err
	}
	e.sources, err = loaderSources()
	return e, err
}

// embedded reports whether the credentials are built in.
func embedded(config *kconfig.Config) bool {
	v, _ := config.Get("TCPBOOT_CREDENTIALS_EMBEDDED")
	on, _ := v.True()
	return on
}

// addSite adds what a new board trusts: the newest site document, and the root of
// the image servers.
func (s *session) addSite(files delivery.Files) (err error) {
	if files[siteDocumentFile], err = os.ReadFile(siteDocument(s.site, epoch(s.site))); err != nil {
		return err
	}
	files[serversRootFile], err = os.ReadFile(s.site.Path("certs", "servers-root.pem"))
	return err
}

// loaderSources are the files of our loader, by their paths in its project.
func loaderSources() (map[string][]byte, error) {
	sources := make(map[string][]byte)
	err := fs.WalkDir(templates.Loader, "loader", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			sources[strings.TrimPrefix(name, "loader/")], err = templates.Loader.ReadFile(name)
		}
		return err
	})
	return sources, err
}

// whole is the tree as a folder of its own.
func (e *loaderTree) whole() (map[string][]byte, error) {
	all := maps.Clone(e.sources)
	if all == nil {
		return e.files, nil
	}
	maps.Copy(all, e.files)
	merged, _, err := mergeOver(delivery.DefaultsFile, e.sources[delivery.DefaultsFile], e.files[delivery.DefaultsFile])
	all[delivery.DefaultsFile] = merged
	return all, err
}

// perm is what a file may be read by: others than its owner when no secret is in it.
func (e *loaderTree) perm(name string) fs.FileMode {
	if slices.Contains(e.open, name) {
		return 0o644
	}
	return 0o600
}

// A changedSourceError says that a project holds another file than ours.
type changedSourceError struct{ path string }

func (e *changedSourceError) Error() string {
	return e.path + ": is not as this tcpboot lays it down"
}

// layDown completes a loader's source tree. What is there must be what would be laid
// down: a loader mixed of two versions is nobody's. Options are merged instead.
func (e *loaderTree) layDown(project string) error {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(e.sources)) {
		has, err := os.ReadFile(filepath.Join(project, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
		case err != nil:
			return err
		case name != delivery.DefaultsFile && !bytes.Equal(has, e.sources[name]):
			return &changedSourceError{filepath.Join(project, name)}
		}
	}
	for _, name := range missing {
		path := filepath.Join(project, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := site.WriteFile(path, e.sources[name], 0o644); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}
