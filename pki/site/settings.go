package site

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Settings is tcpboot.yaml. Every value is kept as people write it; the
// methods turn it into numbers. The zero Settings is not valid: see Defaults.
type Settings struct {
	// Name is the site's name, a DNS label. Boards compare the logical names
	// radius.NAME and update.NAME, so it can never change.
	Name string
	// SSID is the name of the Wi-Fi network, 1 to 32 bytes.
	SSID string
	// Server is where boards find the image server: "boot.example.net:8123".
	Server string
	// Listen is where serve listens; default ":8123", every address.
	Listen string
	// Database is "sqlite:PATH", inside the site unless PATH is absolute, or a
	// postgres:// URL without a password. Default "sqlite:tcpboot.db".
	Database string
	// Releases is the folder of the OCI image layout, or oci://HOST/REPOSITORY of
	// a registry; default "releases".
	Releases string
	// Channel is the channel of a board that was enrolled without one; default
	// "stable".
	Channel string
	// Credentials is the kind of key that boards and their RADIUS server have,
	// "p256" or "rsa2048"; default "p256". The keys are made with the site: no
	// change here changes them.
	Credentials string
	RADIUS      RADIUS
	// Hardware holds the kinds of boards by name; at least one.
	Hardware map[string]Hardware
	// Keys says where private keys are, by name: a file inside the site or a
	// URI. See Key for those that are not listed; nil when none is.
	Keys map[string]string
	// Penalty is of boards that fail at a release again and again.
	Penalty Penalty
}

// RADIUS is the RADIUS server that "radius export" writes files for.
type RADIUS struct {
	Kind   string // "freeradius" or "hostapd"; default "freeradius"
	EAP    string // the methods of a board enrolled without any; default "tls,peap,ttls"
	Listen string // address and port; default "0.0.0.0:1812"
	// Database is what the server reads the boards from by itself, at each login:
	// the registry on PostgreSQL, as a postgres:// URL of its own without a
	// password, or "sqlite:PATH", which is kept up to date beside a registry in
	// SQLite and lies inside the site unless PATH is absolute. "" is none.
	Database string
	// Clients are the access points and controllers that may ask; nil when
	// there are none yet.
	Clients []Client
}

// A Client is an access point or a whole network of them.
type Client struct {
	Name       string
	Address    string // an address or a network: "192.0.2.0/24"
	SecretFile string // the file whose first line is the shared secret

	// Disconnect is where running sessions can be ended (RFC 5176): address and
	// port of each access point or controller that takes Disconnect-Requests with
	// the same secret, all of them within Address. nil when none does.
	Disconnect []string
}

// DisconnectAt returns Disconnect as addresses.
func (c Client) DisconnectAt() (all []netip.AddrPort) {
	for _, s := range c.Disconnect {
		a, _ := netip.ParseAddrPort(s)
		all = append(all, a)
	}
	return all
}

// A Hardware is one kind of board.
type Hardware struct {
	Chip        string // "esp32", "esp32c3"
	MinRevision string // the least chip revision there is among the boards: "3.0"
	Flash       string // "4MB"
	Loader      string // bytes of the partition that the loader lies in: "0xF0000"
	Slot        string // bytes of the partition that the application lies in: "0x300000"
	Signature   string // "by-chip", "v1", "rsa3072", "p256" or "p384"
	Project     string // the project name an image must carry; "": any
}

// Defaults returns the settings that a new site begins with. Name, SSID and
// Server have no defaults worth keeping: the latter two are empty.
func Defaults() Settings {
	return Settings{
		Name: "site", Listen: ":8123", Database: "sqlite:tcpboot.db", Releases: "releases", Channel: "stable", Credentials: "p256",
		RADIUS:   RADIUS{Kind: "freeradius", EAP: "tls,peap,ttls", Listen: "0.0.0.0:1812"},
		Hardware: map[string]Hardware{"esp32": DefaultHardware("esp32")},
	}
}

// DefaultHardware returns a board with that chip, 4 MB of flash and the
// partition table of the 2017 loader.
func DefaultHardware(chip string) Hardware {
	return Hardware{Chip: chip, MinRevision: "0.0", Flash: "4MB", Loader: "0xF0000", Slot: "0x300000", Signature: "by-chip"}
}

// Key returns where the private key with that name is: what Keys says, or else
// the file keys/NAME.pem.
func (s Settings) Key(name string) string {
	if uri, ok := s.Keys[name]; ok {
		return uri
	}
	return "keys/" + name + ".pem"
}

// ServerAddr splits Server.
func (s Settings) ServerAddr() (host string, port uint16) {
	host, text, _ := net.SplitHostPort(s.Server)
	n, _ := strconv.ParseUint(text, 10, 16)
	return host, uint16(n)
}

// Revision returns MinRevision as image headers count it: 300 for "3.0".
func (h Hardware) Revision() uint16 {
	major, minor, _ := strings.Cut(h.MinRevision, ".")
	a, _ := strconv.ParseUint(major, 10, 16)
	b, _ := strconv.ParseUint(minor, 10, 16)
	return uint16(100*a + b)
}

// FlashSize returns Flash in bytes.
func (h Hardware) FlashSize() uint32 {
	n, _ := strconv.ParseUint(strings.TrimSuffix(h.Flash, "MB"), 10, 12)
	return uint32(n << 20)
}

// LoaderSize returns Loader in bytes.
func (h Hardware) LoaderSize() uint32 { return size(h.Loader) }

// SlotSize returns Slot in bytes.
func (h Hardware) SlotSize() uint32 { return size(h.Slot) }

func size(text string) uint32 {
	n, _ := strconv.ParseUint(text, 0, 32)
	return uint32(n)
}

// Check says why s is not valid, naming the key. What names chips, schemes and
// key stores mean is for others to judge.
func (s Settings) Check() error {
	if err := checkAll("", s.fields()); err != nil {
		return err
	}
	if err := checkAll("radius.", s.RADIUS.fields()); err != nil {
		return err
	}
	if err := checkAll("penalty.", s.Penalty.fields()); err != nil {
		return err
	}
	if err := checkPair(s.Database, s.RADIUS.Database); err != nil {
		return fmt.Errorf("radius.database: %w", err)
	}
	names := make(map[string]bool)
	for i, c := range s.RADIUS.Clients {
		if err := checkAll(fmt.Sprintf("radius.clients.%d.", i), c.fields()); err != nil {
			return err
		}
		if err := c.checkDisconnect(); err != nil {
			return fmt.Errorf("radius.clients.%d.%w", i, err)
		}
		if names[c.Name] {
			return fmt.Errorf("radius.clients.%d: name %q is another's already", i, c.Name)
		}
		names[c.Name] = true
	}
	if len(s.Hardware) == 0 {
		return fmt.Errorf("hardware: want at least one entry")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Hardware)) {
		if err := s.Hardware[name].check(name); err != nil {
			return fmt.Errorf("hardware.%s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Keys)) {
		if err := checkKey(name, s.Keys[name]); err != nil {
			return fmt.Errorf("keys.%s: %w", name, err)
		}
	}
	return nil
}

func (h Hardware) check(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := checkAll("", h.fields()); err != nil {
		return err
	}
	return h.checkFit()
}

// checkFit refuses partitions that flash cannot hold.
func (h Hardware) checkFit() error {
	if uint64(h.LoaderSize())+uint64(h.SlotSize()) > uint64(h.FlashSize()) {
		return fmt.Errorf("loader %s and slot %s do not fit into %s of flash", h.Loader, h.Slot, h.Flash)
	}
	return nil
}

// checkDisconnect refuses places outside the client's network: what goes there is
// proved with the client's secret, and a wrong one is a typing error that would
// otherwise show when a board is lost.
func (c Client) checkDisconnect() error {
	network, err := netip.ParsePrefix(c.Address)
	if a, isOne := netip.ParseAddr(c.Address); isOne == nil {
		network, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	for i, s := range c.Disconnect {
		if e := checkAddress(s); e != nil {
			return fmt.Errorf("disconnect.%d: %w", i, e)
		}
		if a, _ := netip.ParseAddrPort(s); err != nil || !network.Contains(a.Addr()) {
			return fmt.Errorf("disconnect.%d: %s is not within the client's address, %s", i, s, c.Address)
		}
		if slices.Contains(c.Disconnect[:i], s) {
			return fmt.Errorf("disconnect.%d: %s is there already", i, s)
		}
	}
	return nil
}

// A field ties one key of the file to one value in memory.
type field struct {
	key      string
	to       *string
	check    func(string) error
	optional bool // may be missing or empty
	number   bool // looks like a number, and may stand without quotes
}

func (s *Settings) fields() []field {
	return []field{
		{key: "name", to: &s.Name, check: checkLabel},
		{key: "ssid", to: &s.SSID, check: checkSSID},
		{key: "server", to: &s.Server, check: checkServer},
		{key: "listen", to: &s.Listen, check: checkListen},
		{key: "database", to: &s.Database, check: checkDatabase},
		{key: "releases", to: &s.Releases, check: checkReleases},
		{key: "channel", to: &s.Channel, check: checkName},
		{key: "credentials", to: &s.Credentials, check: oneOf("p256", "rsa2048")},
	}
}

func (r *RADIUS) fields() []field {
	return []field{
		{key: "kind", to: &r.Kind, check: oneOf("freeradius", "hostapd")},
		{key: "eap", to: &r.EAP, check: checkEAP},
		{key: "listen", to: &r.Listen, check: checkListen},
		{key: "database", to: &r.Database, check: checkDatabase, optional: true},
	}
}

func (c *Client) fields() []field {
	return []field{
		{key: "name", to: &c.Name, check: checkName},
		{key: "address", to: &c.Address, check: checkPrefix},
		{key: "secret_file", to: &c.SecretFile, check: checkText},
	}
}

func (h *Hardware) fields() []field {
	return []field{
		{key: "chip", to: &h.Chip, check: checkChip},
		{key: "min_revision", to: &h.MinRevision, check: checkRevision, number: true},
		{key: "flash", to: &h.Flash, check: checkFlash},
		{key: "loader", to: &h.Loader, check: checkSize, number: true},
		{key: "slot", to: &h.Slot, check: checkSize, number: true},
		{key: "signature", to: &h.Signature, check: oneOf("by-chip", "v1", "rsa3072", "p256", "p384")},
		{key: "project", to: &h.Project, check: checkText, optional: true},
	}
}

// Check says why the value of f is not valid.
func (f field) Check() error {
	if *f.to == "" && f.optional {
		return nil
	}
	if err := f.check(*f.to); err != nil {
		return fmt.Errorf("%s: %w", f.key, err)
	}
	return nil
}

func checkAll(prefix string, fields []field) error {
	for _, f := range fields {
		if err := f.Check(); err != nil {
			return fmt.Errorf("%s%w", prefix, err)
		}
	}
	return nil
}
