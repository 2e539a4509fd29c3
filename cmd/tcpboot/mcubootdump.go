package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/release/mcuboot"
)

var mcubootDumpVerb = &cli.Command{
	Name:        "dump",
	Usage:       "what an image says of itself; nothing of it is proved",
	ArgsUsage:   "IMAGE",
	Description: "`mcuboot verify` proves.",
	Action:      mcubootDump,
}

// A mcubootDescription is an image as it says that it is.
type mcubootDescription struct {
	Version       mcuboot.Version      `json:"version"`
	HeaderSize    int                  `json:"header_size"`
	PayloadBytes  int                  `json:"payload_bytes"`
	ImageBytes    int                  `json:"image_bytes"`
	FileBytes     int                  `json:"file_bytes"`
	LoadAddress   uint32               `json:"load_address"`
	Flags         []string             `json:"flags"`
	Counter       *uint32              `json:"security_counter"`
	Dependencies  []mcuboot.Dependency `json:"dependencies"`
	ProtectedTLVs []mcubootTLV         `json:"protected_tlvs"`
	TLVs          []mcubootTLV         `json:"tlvs"`
	Trailer       *mcuboot.Trailer     `json:"trailer"` // null: the file is no slot
}

type mcubootTLV struct {
	Type   uint16 `json:"type"`
	Name   string `json:"name"`
	Length int    `json:"length"`
	Value  string `json:"value"` // in hex
}

func mcubootDump(c *cli.Context) error {
	if err := wantArgs(c, 1, "an image"); err != nil {
		return err
	}
	path := c.Args().First()
	file, err := readMemory(path)
	if err != nil {
		return err
	}
	im, err := mcuboot.Parse(file.bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	d := describe(im, file.bytes)
	return answer(c, d, func(w io.Writer) { dumpText(w, d) })
}

func describe(im *mcuboot.Image, file []byte) mcubootDescription {
	d := mcubootDescription{
		Version: im.Version, HeaderSize: im.Size, PayloadBytes: im.PayloadSize, ImageBytes: im.Length, FileBytes: len(file),
		LoadAddress: im.LoadAddress, Flags: im.Flags.Names(), Dependencies: emptyNotNull(im.Dependencies()),
		ProtectedTLVs: describeTLVs(im.Protected), TLVs: describeTLVs(im.Unprotected),
	}
	if n, ok := im.Counter(); ok {
		d.Counter = &n
	}
	if trailer, err := mcuboot.ParseTrailer(im.Rest()); err == nil {
		d.Trailer = &trailer
	}
	return d
}

func describeTLVs(all []mcuboot.TLV) []mcubootTLV {
	described := make([]mcubootTLV, len(all))
	for i, t := range all {
		described[i] = mcubootTLV{uint16(t.Type), t.Type.String(), len(t.Value), hex.EncodeToString(t.Value)}
	}
	return described
}

func dumpText(w io.Writer, d mcubootDescription) {
	line := func(what, format string, a ...any) { fmt.Fprintf(w, "%-12s %s\n", what, fmt.Sprintf(format, a...)) }
	line("version", "%s", d.Version)
	line("image", "%d bytes of %d in the file", d.ImageBytes, d.FileBytes)
	line("header", "%d bytes", d.HeaderSize)
	line("payload", "%d bytes", d.PayloadBytes)
	line("flags", "%s", printable(strings.Join(d.Flags, " ")))
	if d.LoadAddress != 0 {
		line("load address", "%#08x", d.LoadAddress)
	}
	if d.Counter != nil {
		line("counter", "%d", *d.Counter)
	}
	for _, needs := range d.Dependencies {
		line("needs", "image %d, version %s or later", needs.Image, needs.Min)
	}
	if t := d.Trailer; t != nil {
		line("slot", "image ok %s, copy done %s, alignment %d", t.ImageOK, t.CopyDone, t.MaxAlign)
	}
	fmt.Fprintln(w)
	dumpTLVs(w, d)
}

func dumpTLVs(w io.Writer, d mcubootDescription) {
	var rows [][]string
	add := func(area string, all []mcubootTLV) {
		for _, t := range all {
			rows = append(rows, []string{area, t.Name, fmt.Sprint(t.Length), shortened(t.Value)})
		}
	}
	add("protected", d.ProtectedTLVs)
	add("unprotected", d.TLVs)
	table(w, "AREA TLV BYTES VALUE", rows)
}

// shortened is a value that fits a line; --json shows all of it.
func shortened(digits string) string {
	const most = 64
	if len(digits) > most {
		return digits[:most] + "…"
	}
	return digits
}
