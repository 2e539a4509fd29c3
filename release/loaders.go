package release

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// loaderPrefix begins the names of what is about loaders: their releases, and the
// channels that these are offered on. So both kinds have versions and sequences of
// their own, and stand side by side wherever something goes by such names.
const loaderPrefix = "loader-"

// LoaderName is what a release of the loader of that version is called, "loader-2.1.0".
func LoaderName(version string) (string, error) {
	l, err := parseLoader(version)
	return loaderPrefix + l.String(), err
}

// NamesLoader reports whether a version is one that only a release of a loader may have.
func NamesLoader(version string) bool { return strings.HasPrefix(version, loaderPrefix) }

// LoaderVersion is the version of the loader in a release; "" where m is of firmware.
func (m *Manifest) LoaderVersion() string {
	if m.Kind != sitedoc.Loader {
		return ""
	}
	return strings.TrimPrefix(m.Version, loaderPrefix)
}

// ChannelFor is the channel of the releases of a kind for boards that follow channel.
func ChannelFor(kind sitedoc.Kind, channel string) string {
	if kind == sitedoc.Loader {
		return loaderPrefix + channel
	}
	return channel
}

// FollowedBy is the channel that the boards follow to which channel offers something,
// and of which kind that is.
func FollowedBy(channel string) (followed string, kind sitedoc.Kind) {
	if rest, ok := strings.CutPrefix(channel, loaderPrefix); ok && rest != "" {
		return rest, sitedoc.Loader
	}
	return channel, sitedoc.Firmware
}

// Newer reports whether m updates a loader of that version.
func (m *Manifest) Newer(loader string) bool {
	have, err := parseLoader(loader)
	is, errIs := parseLoader(m.LoaderVersion())
	return err == nil && errIs == nil && is.compare(have) > 0
}

// checkKind says why m cannot be of its kind.
func (m *Manifest) checkKind() error {
	if _, ok := m.Kind.Number(); !ok {
		return fmt.Errorf("kind %.20q: want %s or %s", string(m.Kind), sitedoc.Firmware, sitedoc.Loader)
	}
	if m.Kind != sitedoc.Loader {
		return nil
	}
	version, ok := strings.CutPrefix(m.Version, loaderPrefix)
	if !ok {
		return fmt.Errorf("version %.63q: a release of a loader is called %s and the loader's version", m.Version, loaderPrefix)
	}
	_, err := parseLoader(version)
	return err
}

// LoaderAfter is what a board's loader is after what it reported, and whether that is
// another than was known: the newest loader of which it confirmed a release. What is
// known and not older stays, for somebody with a cable may know better.
func (c *Catalog) LoaderAfter(have fleet.Loader, reports []fleet.Report) (now fleet.Loader, changed bool) {
	for _, said := range reports {
		r, known := c.Release(said.Manifest)
		if !known || said.Outcome != fleet.Confirmed || r.Manifest.Kind != sitedoc.Loader {
			continue
		}
		if have.Version == "" || r.Manifest.Newer(have.Version) {
			have, changed = r.Loader(), true
		}
	}
	return have, changed
}

// Loader is what a board has that confirmed the loader release r.
func (r *Release) Loader() fleet.Loader {
	return fleet.Loader{Level: ourLoader, Key: r.AppKey, Version: r.Manifest.LoaderVersion()}
}

// Loaders are the releases of loaders among all, the oldest version first.
func Loaders(all []*Release) []*Release {
	loaders := slices.DeleteFunc(slices.Clone(all), func(r *Release) bool { return r.Manifest.Kind != sitedoc.Loader })
	slices.SortStableFunc(loaders, func(a, b *Release) int {
		switch {
		case a.Manifest.Newer(b.Manifest.LoaderVersion()):
			return 1
		case b.Manifest.Newer(a.Manifest.LoaderVersion()):
			return -1
		}
		return 0
	})
	return loaders
}
