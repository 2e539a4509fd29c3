package site

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxText = 1024 // bytes of any one value

var (
	labelText    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	nameText     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	hostText     = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)
	portText     = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
	chipText     = regexp.MustCompile(`^esp[a-z0-9]{1,13}$`)
	revisionText = regexp.MustCompile(`^(0|[1-9][0-9]?)\.(0|[1-9][0-9]?)$`)
	sizeText     = regexp.MustCompile(`^(0x[0-9a-fA-F]{1,8}|[1-9][0-9]{0,9})$`)
	keyText      = regexp.MustCompile(`^(boards|radius|servers|server|ocsp|release-root|release|app|mcuboot)(-[a-z0-9]+)*$`)
)

var flashSizes = []string{"1MB", "2MB", "4MB", "8MB", "16MB", "32MB", "64MB", "128MB"}

// checkText is the rule for all values: what stands in them ends up in files
// with other rules, none of which can hold a control character.
func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("empty")
	case len(s) > maxText:
		return fmt.Errorf("longer than %d bytes", maxText)
	case !utf8.ValidString(s):
		return errors.New("not UTF-8")
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fmt.Errorf("%q: unprintable character %U", clip(s), r)
		}
	}
	return nil
}

// matches builds the rule that a value looks like re.
func matches(re *regexp.Regexp, want string) func(string) error {
	return func(s string) error {
		if !re.MatchString(s) {
			return fmt.Errorf("%q: want %s", clip(s), want)
		}
		return nil
	}
}

var (
	checkLabel    = matches(labelText, "1 to 63 lower-case letters, digits and -, neither first nor last a -")
	checkName     = matches(nameText, "1 to 63 letters, digits and . _ - and a letter or digit first")
	checkChip     = matches(chipText, `a chip like "esp32" or "esp32c3"`)
	checkRevision = matches(revisionText, `a chip revision like "3.0"`)
	checkFlash    = oneOf(flashSizes...)
)

// oneOf builds the rule that a value is one of those words.
func oneOf(words ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%q: want one of %s", clip(s), strings.Join(words, ", "))
		}
		return nil
	}
}

func checkSSID(s string) error {
	if len(s) > 32 {
		return fmt.Errorf("%q: %d bytes, and Wi-Fi takes at most 32", clip(s), len(s))
	}
	return checkText(s)
}

// checkListen takes "address:port" and ":port".
func checkListen(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf(`%q: want address:port`, clip(s))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || !portText.MatchString(port) {
		return fmt.Errorf("%q: want a port from 1 to 65535", clip(s))
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && (len(host) > 253 || !hostText.MatchString(host)) {
		return fmt.Errorf("%q: %q is neither a host name nor an address", clip(s), clip(host))
	}
	return checkText(s)
}

func checkServer(s string) error {
	if err := checkListen(s); err != nil {
		return err
	}
	if strings.HasPrefix(s, ":") {
		return fmt.Errorf("%q: want host:port; a board needs to know the host", clip(s))
	}
	return nil
}

// checkDatabase keeps passwords out of a file that is no secret.
func checkDatabase(s string) error {
	if err := checkText(s); err != nil {
		return err
	}
	if path, ok := strings.CutPrefix(s, "sqlite:"); ok && path != "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("want sqlite:PATH or postgres://USER@HOST/NAME")
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return errors.New("a password does not belong here; PGPASSFILE names a file for it")
	}
	return nil
}

// checkPair refuses a RADIUS server's database that cannot go with the registry.
// The registry's own file the server must never open.
func checkPair(registry, radius string) error {
	path, file := strings.CutPrefix(registry, "sqlite:")
	mirror, mirrored := strings.CutPrefix(radius, "sqlite:")
	switch {
	case radius == "":
		return nil
	case file && !mirrored:
		return errors.New("want sqlite:PATH, because the registry is a file too")
	case !file && mirrored:
		return errors.New("want postgres://USER@HOST/NAME: the server reads the registry itself")
	case file && filepath.Clean(path) == filepath.Clean(mirror):
		return errors.New("this is the registry, and the server needs a file of its own")
	}
	return nil
}

var repositoryText = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)

// checkReleases takes a folder, or a repository of an OCI registry without a tag.
func checkReleases(s string) error {
	if err := checkText(s); err != nil {
		return err
	}
	repository, ok := strings.CutPrefix(s, "oci://")
	switch {
	case !ok && strings.Contains(s, "://"):
		return fmt.Errorf("%q: want a folder, or oci://HOST/REPOSITORY", clip(s))
	case ok && strings.Contains(repository, "@"):
		return errors.New("neither a password nor a digest belongs here; passwords are in the Docker configuration")
	case ok && !repositoryText.MatchString(repository):
		return fmt.Errorf("%q: want oci://HOST/REPOSITORY, without a tag", clip(s))
	}
	return nil
}

func checkEAP(s string) error {
	seen := make(map[string]bool)
	for word := range strings.SplitSeq(s, ",") {
		if err := oneOf("tls", "peap", "ttls")(word); err != nil {
			return err
		}
		if seen[word] {
			return fmt.Errorf("%q: %s twice", clip(s), word)
		}
		seen[word] = true
	}
	return nil
}

func checkPrefix(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return checkText(s)
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("%q: want an address or a network like 192.0.2.0/24", clip(s))
	}
	if p != p.Masked() {
		return fmt.Errorf("%q: has bits behind its mask; %s is meant, or an address", clip(s), p.Masked())
	}
	return nil
}

// checkAddress takes an address with a port, in their one spelling, and no name:
// who is to be reached must not depend on what a name stands for that day.
func checkAddress(s string) error {
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 || a.String() != s {
		return fmt.Errorf("%q: want an address and a port like 192.0.2.7:3799", clip(s))
	}
	return nil
}

func checkSize(s string) error {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil || n == 0 || !sizeText.MatchString(s) {
		return fmt.Errorf("%q: want a number of bytes like 0x300000", clip(s))
	}
	if n%4096 != 0 {
		return fmt.Errorf("%q: not a multiple of 0x1000, a sector of flash", clip(s))
	}
	return nil
}

func checkKey(name, uri string) error {
	if err := matches(keyText, "boards, radius, servers, server, ocsp, release-root, release, app or mcuboot, or one of them with -WORD behind")(name); err != nil {
		return err
	}
	if len(name) > 63 {
		return fmt.Errorf("longer than 63 bytes")
	}
	return checkText(uri)
}

// clip bounds what an error repeats of its input.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
