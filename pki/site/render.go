package site

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Render returns the settings file that says s, with comments for the people
// who will edit it. When s.Check finds nothing, Parse returns s again.
func (s Settings) Render() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# The settings of a tcpboot site. Unknown keys are errors.

# The site's name. Boards compare radius.NAME and update.NAME with the names in
# the servers' certificates: once boards are out it can never change.
name: %s

# The Wi-Fi network that boards join.
ssid: %s

# Where boards find the image server, as host:port.
server: %s

# Where "tcpboot serve" listens. Without a host: on every address.
listen: %s

# The registry: sqlite:PATH, from this folder, or postgres://USER@HOST/NAME.
database: %s

# Where releases are kept, from this folder: an OCI image layout, or
# oci://HOST/REPOSITORY of a registry.
releases: %s

# The channel of boards that are enrolled without --channel.
channel: %s

# The keys of boards and of their RADIUS server, as init made them: p256, or
# rsa2048 for boards that run the unmodified loader of 2017, which knows no curves
# and no TLS newer than 1.0. Changing it here makes no other keys.
credentials: %s
`, text(s.Name), text(s.SSID), text(s.Server), text(s.Listen), text(s.Database), text(s.Releases), text(s.Channel), text(s.Credentials))
	s.RADIUS.render(&b)
	s.renderHardware(&b)
	s.renderKeys(&b)
	s.Penalty.render(&b)
	return []byte(b.String())
}

func (r RADIUS) render(b *strings.Builder) {
	fmt.Fprintf(b, `
# The RADIUS server that "tcpboot radius export" writes files for.
radius:
  # freeradius or hostapd.
  kind: %s
  # The methods of boards that are enrolled without --eap. Without peap and
  # ttls no password hash is kept.
  eap: %s
  # Address and port.
  listen: %s
%s  # The access points and controllers that may ask; secret_file is a file whose
  # first line is the secret they share with the server. disconnect is where
  # revoke --disconnect ends running sessions (RFC 5176), with the same secret:
  #   - name: ap-1
  #     address: 192.0.2.0/24
  #     secret_file: radius-ap-1.secret
  #     disconnect: ["192.0.2.7:3799", "192.0.2.8:3799"]
`, text(r.Kind), text(r.EAP), text(r.Listen), r.renderDatabase("  "))
	if len(r.Clients) == 0 {
		b.WriteString("  clients: []\n")
		return
	}
	b.WriteString("  clients:\n")
	for _, c := range r.Clients {
		fmt.Fprintf(b, "    - name: %s\n      address: %s\n      secret_file: %s\n", text(c.Name), text(c.Address), text(c.SecretFile))
		if len(c.Disconnect) > 0 {
			b.WriteString("      disconnect:\n")
		}
		for _, at := range c.Disconnect {
			fmt.Fprintf(b, "        - %s\n", text(at))
		}
	}
}

// renderDatabase returns the lines of the database, none when there is none.
func (r RADIUS) renderDatabase(indent string) string {
	if r.Database == "" {
		return ""
	}
	return fmt.Sprintf("%[1]s# Where the server looks the boards up by itself, at each login.\n%[1]sdatabase: %[2]s\n", indent, text(r.Database))
}

func (s Settings) renderHardware(b *strings.Builder) {
	b.WriteString(`
# The kinds of boards, by the name that --hardware takes.
#   chip          as esptool calls it: esp32, esp32c3
#   min_revision  the least chip revision among these boards
#   flash         its size
#   loader, slot  bytes of the partitions that loader and application lie in
#   signature     how images are signed: by-chip, v1, rsa3072, p256 or p384
#   project       the project name an image must carry; none: any
hardware:
`)
	for _, name := range slices.Sorted(maps.Keys(s.Hardware)) {
		b.WriteString(s.Hardware[name].render(name, "  "))
	}
}

// render returns the lines of one hardware entry.
func (h Hardware) render(name, indent string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s:\n", indent, text(name))
	for _, f := range h.fields() {
		if *f.to != "" {
			value := *f.to
			if !f.number {
				value = text(value)
			}
			fmt.Fprintf(&b, "%s  %s: %s\n", indent, f.key, value)
		}
	}
	return b.String()
}

func (s Settings) renderKeys(b *strings.Builder) {
	b.WriteString(`
# Where private keys are, by the names that "tcpboot key list" shows: a file,
# from this folder, or a URI. A key that is not listed is keys/NAME.pem.
`)
	if len(s.Keys) == 0 {
		b.WriteString("keys: {}\n")
		return
	}
	b.WriteString("keys:\n")
	for _, name := range slices.Sorted(maps.Keys(s.Keys)) {
		fmt.Fprintf(b, "  %s: %s\n", text(name), text(s.Keys[name]))
	}
}

var (
	plainText = regexp.MustCompile(`^([a-z][a-z0-9]*([./_,-]?[a-z0-9]+)*|[0-9]+MB)$`)
	notText   = regexp.MustCompile(`^(true|false|null|y|n|yes|no|on|off)$`)
)

// text writes s as a YAML scalar that is text to every reader. Go's quoted
// strings are YAML's, for everything that checkText lets through.
func text(s string) string {
	if plainText.MatchString(s) && !notText.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}
