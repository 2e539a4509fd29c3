package main

import (
	"crypto"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var keySignVerb = &cli.Command{
	Name:      "sign",
	Usage:     "sign a site document as the holder of a release root; needs no site",
	ArgsUsage: "FILE",
	Description: "FILE comes from --to-sign, and is signed in place, beside the signatures that are on\n" +
		"it. What it says is printed: read it first (--show), for whoever it names can make\n" +
		"firmware that boards take.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "key", Usage: "the root is at `URI`: a file, or an object of a key store, pkcs11:…"},
		&cli.BoolFlag{Name: "show", Usage: "print what the document says, and sign nothing"},
	},
	Action: keySign,
}

// A signedDocument is the answer: what the document says, and who has signed it.
type signedDocument struct {
	*sitedoc.Doc
	Signed []string `json:"signed"` // roots that it names
	By     string   `json:"by,omitempty"`
	Named  bool     `json:"named"` // the document names the root that signed it now
}

func keySign(c *cli.Context) error {
	if err := wantArgs(c, 1, "a site document"); err != nil {
		return err
	}
	if !c.Bool("show") {
		if err := wantFlag(c, "key"); err != nil {
			return err
		}
	}
	file := c.Args().First()
	draft, err := readDraft(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	out := signedDocument{Doc: draft.Doc, Signed: []string{}}
	if !c.Bool("show") {
		by, err := signDraftBy(c, draft)
		if err != nil {
			return err
		}
		if err := site.WriteFile(file, draft.Bytes(), 0o644); err != nil {
			return err
		}
		out.By, out.Named = idText(by), slices.Contains(draft.Doc.Roots.Keys, by)
	}
	for _, k := range draft.Signers(draft.Doc.Roots.Keys...) {
		out.Signed = append(out.Signed, idText(k))
	}
	return answer(c, out, out.print)
}

func signDraftBy(c *cli.Context, draft *sitedoc.Draft) (by cose.Key, err error) {
	signer, err := openRoot(c, c.String("key"))
	if err != nil {
		return by, err
	}
	root, err := sign.NewRoot(signer)
	if err != nil {
		return by, err
	}
	return root.Key(), draft.Sign(root)
}

// openRoot opens a root without a site: an encrypted file, or a key in a store.
func openRoot(c *cli.Context, uri string) (crypto.Signer, error) {
	k, err := newKeyring(c, "", map[string]string{rootName(1): uri})
	if err != nil {
		return nil, err
	}
	return k.open(rootName(1))
}

func (d signedDocument) print(w io.Writer) {
	line := func(what, format string, a ...any) { fmt.Fprintf(w, "%-12s %s\n", what, fmt.Sprintf(format, a...)) }
	line("site", "%s, document %d", d.Site, d.Epoch)
	for _, k := range d.Keys {
		scope := "any hardware"
		if len(k.Hardware) > 0 {
			scope = strings.Join(k.Hardware, ", ")
		}
		line("release key", "%s: %s for %s", idText(k.Key), k.Kind, scope)
	}
	for _, k := range d.Roots.Keys {
		line("root", "%s", idText(k))
	}
	line("threshold", "%d of %d roots", d.Roots.Threshold, len(d.Roots.Keys))
	line("servers", "%s", strings.Join(d.Endpoints, ", "))
	line("names", "%s, %s", d.Names.RADIUS, d.Names.Update)
	for _, i := range d.EAPIssuers {
		line("RADIUS CA", "%s", i.Hex()[:16])
	}
	for _, i := range d.TLSIssuers {
		line("servers CA", "%s", i.Hex()[:16])
	}
	line("generation", "%d", d.Generation)
	for _, hardware := range slices.Sorted(maps.Keys(d.Floors)) {
		f := d.Floors[hardware]
		line("floor", "%s: %d in generation %d", hardware, f.Count, f.Generation)
	}
	if d.By != "" && d.Named {
		fmt.Fprintf(w, "signed by %s\n", d.By)
	} else if d.By != "" {
		fmt.Fprintf(w, "signed by %s, as a root from before: this document does not name it\n", d.By)
	}
}
