package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/intelhex"
)

var mcubootVerb = &cli.Command{
	Name:  "mcuboot",
	Usage: "images for an MCU behind the board: sign, encrypt, judge them; no site is needed",
	Description: "Images are those of MCUboot, and flags that its imgtool has mean the same here.\n" +
		"A file whose name ends in .hex is Intel HEX. A KEY is a PEM file, plain or\n" +
		"encrypted, or the URI of a key in a key store.",
	Subcommands: []*cli.Command{mcubootSignVerb, mcubootEncryptVerb, mcubootDecryptVerb, mcubootVerifyVerb, mcubootDumpVerb},
}

var mcubootOutFlag = &cli.PathFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the result to `FILE`"}

// A memory is what a file holds, and where it belongs.
type memory struct {
	bytes   []byte
	address uint32
	hex     bool // the address is known
}

func isHex(path string) bool { return strings.EqualFold(filepath.Ext(path), ".hex") }

// readMemory reads a program or an image.
func readMemory(path string) (m memory, err error) {
	text, err := readImage(path)
	if err != nil || !isHex(path) {
		return memory{bytes: text}, err
	}
	chunks, err := intelhex.Parse(text)
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	m.hex = true
	if m.address, m.bytes, err = intelhex.Flat(chunks, 0xff, release.MaxImage); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// wantOut refuses to go on without --out, and with one that is not to be written,
// given what the verb reads.
func wantOut(c *cli.Context, inputs ...string) error {
	if err := wantFlag(c, "out"); err != nil {
		return err
	}
	if err := mayReplace(c.Path("out"), inputs); err != nil {
		return usageError{fmt.Errorf("%s: %w", verbName(c), err)}
	}
	return nil
}

// wantBinaryOut is wantOut for verbs that know of no address.
func wantBinaryOut(c *cli.Context, inputs ...string) error {
	if isHex(c.Path("out")) {
		return usagef("%s: --out %s: this verb writes no Intel HEX", verbName(c), c.Path("out"))
	}
	return wantOut(c, inputs...)
}

// mayReplace says why out is not to be written: it would take the place of an
// input, which for a key is beyond repair, or of what is no file.
func mayReplace(out string, inputs []string) error {
	there, err := os.Stat(out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !there.Mode().IsRegular() {
		return fmt.Errorf("--out %s: not a regular file", out)
	}
	for _, in := range inputs {
		if info, err := os.Stat(in); err == nil && os.SameFile(there, info) {
			return fmt.Errorf("--out %s: is read from; want another file", out)
		}
	}
	return nil
}
