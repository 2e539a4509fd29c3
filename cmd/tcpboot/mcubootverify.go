package main

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/release/mcuboot"
)

var mcubootVerifyVerb = &cli.Command{
	Name:      "verify",
	Usage:     "say what is proved of an image, and what is not",
	ArgsUsage: "IMAGE",
	Description: "Without --key only the hash is checked: the image is whole, whoever made it. Of an\n" +
		"encrypted image nothing is proved without a key that opens it: exit status 1.",
	Flags: []cli.Flag{
		&cli.StringSliceFlag{Name: "key", Aliases: []string{"k"}, Usage: "it must be signed by `KEY`, public or private (may be repeated: by one of them)"},
		decryptFlag, factoryKeyFlag,
		&cli.BoolFlag{Name: "strict", Usage: "refuse unprotected TLVs as bootloaders do that allow only their own"},
	},
	Action: mcubootVerify,
}

// A mcubootProof is what was found out of an image.
type mcubootProof struct {
	Version      mcuboot.Version   `json:"version"`
	PayloadBytes int               `json:"payload_bytes"`
	Hash         string            `json:"hash"`
	Counter      *uint32           `json:"security_counter"`
	Encrypted    bool              `json:"encrypted"`
	SignedBy     *string           `json:"signed_by"` // hash of the key; null: not proved
	Findings     []mcuboot.Finding `json:"findings"`
}

func mcubootVerify(c *cli.Context) error {
	if err := wantArgs(c, 1, "an image"); err != nil {
		return err
	}
	trust, err := mcubootTrust(c)
	if err != nil {
		return err
	}
	path := c.Args().First()
	image, err := readMemory(path)
	if err != nil {
		return err
	}
	report, err := mcuboot.Verify(image.bytes, trust)
	if err != nil {
		if errors.Is(err, mcuboot.ErrEncrypted) {
			sayFindings(c, report.Findings)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	p, err := mcubootProofOf(report)
	if err != nil {
		return err
	}
	return answer(c, p, func(w io.Writer) {
		fmt.Fprintf(w, "image %s, a program of %d bytes\n", p.Version, p.PayloadBytes)
		for _, f := range p.Findings {
			fmt.Fprintf(w, "  %s\n", findingText(f))
		}
	})
}

func mcubootTrust(c *cli.Context) (t mcuboot.Trust, err error) {
	t.Listed = c.Bool("strict")
	for _, uri := range c.StringSlice("key") {
		key, err := openPublic(c, uri)
		if err != nil {
			return t, err
		}
		t.Keys = append(t.Keys, key)
	}
	t.Decrypt, err = openIdentities(c)
	return t, err
}

func mcubootProofOf(r *mcuboot.Report) (p mcubootProof, err error) {
	p = mcubootProof{
		Version: r.Image.Version, PayloadBytes: len(r.Payload), Hash: hex.EncodeToString(r.Digest),
		Encrypted: r.Image.Encrypted() && !r.Clear, Findings: r.Findings,
	}
	if n, ok := r.Image.Counter(); ok {
		p.Counter = &n
	}
	if r.SignedBy != nil {
		id, err := signerID(r.SignedBy, r.Hash)
		if err != nil {
			return p, err
		}
		p.SignedBy = &id
	}
	return p, nil
}

func signerID(key crypto.PublicKey, h crypto.Hash) (string, error) {
	id, err := mcuboot.KeyHash(key, h)
	return hex.EncodeToString(id), err
}

func findingText(f mcuboot.Finding) string {
	mark := "proved"
	if !f.Proved {
		mark = "open"
	}
	return fmt.Sprintf("%-6s  %s: %s", mark, f.Subject, f.Detail)
}

// sayFindings tells what is known of an image that is not proved: it is no
// answer.
func sayFindings(c *cli.Context, all []mcuboot.Finding) {
	for _, f := range all {
		say(c, "%s", findingText(f))
	}
}
