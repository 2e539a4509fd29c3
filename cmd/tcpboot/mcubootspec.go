package main

import (
	"crypto"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/release/mcuboot"
)

// specOf reads what image to make from the flags.
func specOf(c *cli.Context) (s mcuboot.Spec, err error) {
	s = mcuboot.Spec{
		HeaderSize: int(c.Uint("header-size")), SoftwareType: c.String("boot-record"),
		Pure: c.Bool("pure"), PadSignature: c.Bool("pad-sig"),
	}
	if c.Bool("non-bootable") {
		s.Flags |= mcuboot.NonBootable
	}
	for _, read := range []func(*cli.Context, *mcuboot.Spec) error{
		readVersion, readCounter, readAddress, readHash, readKeyFormat, readDependencies, readCustom, readIDs, readEncryption,
	} {
		if err := read(c, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func readVersion(c *cli.Context, s *mcuboot.Spec) (err error) {
	if s.Version, err = mcuboot.ParseVersion(c.String("version")); err != nil {
		return usageError{err}
	}
	return nil
}

func readCounter(c *cli.Context, s *mcuboot.Spec) error {
	text := c.String("security-counter")
	if text == "" {
		return nil
	}
	n := s.Version.Counter()
	if text != "auto" {
		var err error
		if n, err = flagNumber(c, "security-counter"); err != nil {
			return err
		}
	}
	s.Counter = &n
	return nil
}

// flagNumber reads a number of 32 bits, decimal or hexadecimal.
func flagNumber(c *cli.Context, name string) (uint32, error) {
	n, err := strconv.ParseUint(c.String(name), 0, 32)
	if err != nil {
		return 0, usagef("--%s %s: want a number of 32 bits", name, c.String(name))
	}
	return uint32(n), nil
}

func readAddress(c *cli.Context, s *mcuboot.Spec) (err error) {
	for name, flag := range map[string]mcuboot.Flags{"load-addr": mcuboot.RAMLoad, "rom-fixed": mcuboot.ROMFixed} {
		if c.IsSet(name) {
			s.Flags |= flag
			if s.LoadAddress, err = flagNumber(c, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func readHash(c *cli.Context, s *mcuboot.Spec) error {
	hashes := map[string]crypto.Hash{"": 0, "256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
	h, ok := hashes[c.String("sha")]
	if !ok {
		return usagef("--sha %s: want 256, 384 or 512", c.String("sha"))
	}
	s.Hash = h
	return nil
}

func readKeyFormat(c *cli.Context, s *mcuboot.Spec) error {
	switch f := c.String("public-key-format"); f {
	case "hash", "full":
		s.FullKey = f == "full"
		return nil
	default:
		return usagef("--public-key-format %s: want hash or full", f)
	}
}

var (
	oneDependency    = regexp.MustCompile(`\(([0-9]+), ?([0-9.+]+)\)`)
	dependenciesText = regexp.MustCompile(`^(` + oneDependency.String() + `)*$`)
)

func readDependencies(c *cli.Context, s *mcuboot.Spec) error {
	text := c.String("dependencies")
	if !dependenciesText.MatchString(text) {
		return usagef("--dependencies %q: want (IMAGE,VERSION), as often as there are images that it needs", text)
	}
	for _, part := range oneDependency.FindAllStringSubmatch(text, -1) {
		image, err := strconv.ParseUint(part[1], 10, 8)
		if err != nil {
			return usagef("--dependencies: image %s: want a number of 8 bits", part[1])
		}
		least, err := mcuboot.ParseVersion(part[2])
		if err != nil {
			return usagef("--dependencies: %v", err)
		}
		s.Dependencies = append(s.Dependencies, mcuboot.Dependency{Image: uint8(image), Min: least})
	}
	return nil
}

func readCustom(c *cli.Context, s *mcuboot.Spec) error {
	for _, text := range c.StringSlice("custom-tlv") {
		kind, value, ok := strings.Cut(text, "=")
		n, err := strconv.ParseUint(kind, 0, 16)
		if !ok || err != nil {
			return usagef("--custom-tlv %q: want TYPE=VALUE, with a TYPE of 16 bits", text)
		}
		data := []byte(value)
		if digits, isHex := strings.CutPrefix(value, "0x"); isHex {
			if data, err = hex.DecodeString(digits); err != nil {
				return usagef("--custom-tlv %q: want an even number of hex digits after 0x", text)
			}
		}
		s.Custom = append(s.Custom, mcuboot.TLV{Type: mcuboot.Type(n), Value: data})
	}
	return nil
}

func readIDs(c *cli.Context, s *mcuboot.Spec) error {
	if text := c.String("vid"); text != "" {
		id := mcuboot.VendorID(text)
		s.Vendor = &id
	}
	if text := c.String("cid"); text != "" {
		if s.Vendor == nil {
			return usagef("--cid names a class of the vendor's: --vid is needed")
		}
		id := mcuboot.ClassID(text, *s.Vendor)
		s.Class = &id
	}
	return nil
}

// readEncryption reads how to encrypt. Without a key, --clear and a key size
// leave the image ready to be encrypted for whoever is named later.
func readEncryption(c *cli.Context, s *mcuboot.Spec) (err error) {
	if !c.IsSet("encrypt") && !c.Bool("clear") {
		return nil
	}
	bits := c.String("encrypt-keylen")
	if bits != "128" && bits != "256" {
		return usagef("--encrypt-keylen %s: want 128 or 256", bits)
	}
	e := &mcuboot.Encryption{KeySize: 16, Clear: c.Bool("clear")}
	if bits == "256" {
		e.KeySize = 32
	}
	if e.Factory, err = factoryKey(c); err != nil {
		return err
	}
	if path := c.Path("encrypt"); path != "" {
		if e.To, err = openRecipient(c, path); err != nil {
			return err
		}
	}
	s.Encryption = e
	return nil
}
