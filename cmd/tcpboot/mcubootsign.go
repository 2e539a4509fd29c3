package main

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/mcuboot"
)

var mcubootSignVerb = &cli.Command{
	Name:      "sign",
	Usage:     "make an image of a program, and sign it",
	ArgsUsage: "PROGRAM",
	Description: "The header takes the first --header-size bytes of the program, which must be zero;\n" +
		"with --pad-header it is put before the program.\n" +
		"\n" +
		"Where the key is elsewhere, sign in three stages: --vector-to-sign writes to --out\n" +
		"what is to be signed; sign that; then give the same flags, --signature and the\n" +
		"public key as --key. RSA signs by PSS with a salt of 32 bytes. A P-256 or P-384\n" +
		"digest is not hashed again; an Ed25519 digest is the message.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "key", Aliases: []string{"k"}, Usage: "sign with `KEY`: RSA-2048, RSA-3072, P-256, P-384 or Ed25519"},
		&cli.BoolFlag{Name: "unsigned", Usage: "make an image with a hash alone"},
		mcubootOutFlag,
		&cli.StringFlag{Name: "version", Aliases: []string{"v"}, Usage: "its version is `V`: 1.2.3+4"},
		&cli.UintFlag{Name: "header-size", Aliases: []string{"H"}, Usage: "the program begins at `N` bytes", Value: 32},
		&cli.BoolFlag{Name: "pad-header", Usage: "the program has no room for the header: make it"},
		&cli.StringFlag{Name: "security-counter", Aliases: []string{"s"}, Usage: "its security counter is `N`, or auto: of the version"},
		&cli.StringFlag{Name: "dependencies", Aliases: []string{"d"}, Usage: "it needs other images, `'(IMAGE,VERSION)…'`: number, least version"},
		&cli.StringSliceFlag{Name: "custom-tlv", Usage: "add a protected TLV, `TYPE=VALUE`: 0xa0=0x0badcafe or 0xa0=text (may be repeated)"},
		&cli.StringFlag{Name: "boot-record", Usage: "add a boot record of software type `T`, at most 12 characters"},
		&cli.StringFlag{Name: "vid", Usage: "the vendor is `UUID`, or a domain name"},
		&cli.StringFlag{Name: "cid", Usage: "the class of device is `UUID`, or the vendor's name for it"},
		&cli.StringFlag{Name: "load-addr", Aliases: []string{"L"}, Usage: "it is copied to RAM at `ADDR`"},
		&cli.StringFlag{Name: "rom-fixed", Aliases: []string{"F"}, Usage: "it runs in flash at `ADDR` alone"},
		&cli.BoolFlag{Name: "non-bootable", Usage: "it is never started by itself"},
		&cli.StringFlag{Name: "sha", Usage: "its hash is SHA-`BITS`: 256, 384 or 512", DefaultText: "by the key"},
		&cli.BoolFlag{Name: "pure", Usage: "Ed25519 signs the image itself, not its hash"},
		&cli.StringFlag{Name: "public-key-format", Usage: "name the key by its hash or in full: `FORM`", Value: "hash"},
		&cli.BoolFlag{Name: "pad-sig", Usage: "pad ECDSA signatures, for MCUboot before 1.5"},
		&cli.PathFlag{Name: "encrypt", Aliases: []string{"E"}, Usage: "encrypt it for the bootloader with `KEY`: RSA-2048, P-256, X25519, or AES in base64"},
		&cli.StringFlag{Name: "encrypt-keylen", Usage: "encrypt with AES of `BITS`: 128 or 256", Value: "128"},
		&cli.BoolFlag{Name: "clear", Usage: "leave the program in the clear: for a primary slot, or to be encrypted later"},
		factoryKeyFlag, hmacFlag,
		&cli.UintFlag{Name: "slot-size", Aliases: []string{"S"}, Usage: "refuse what does not fit a slot of `N` bytes", DefaultText: "not checked"},
		&cli.UintFlag{Name: "align", Usage: "flash is written by `N` bytes at once: 1, 2, 4, 8, 16 or 32", DefaultText: "none; --slot-size needs it"},
		&cli.UintFlag{Name: "max-align", Usage: "the largest alignment of the board's flash is `N`", DefaultText: "8, or --align"},
		&cli.UintFlag{Name: "max-sectors", Aliases: []string{"M"}, Usage: "the slot has at most `N` sectors", Value: 128},
		&cli.BoolFlag{Name: "overwrite-only", Usage: "updates overwrite, instead of swapping"},
		&cli.BoolFlag{Name: "save-enctlv", Usage: "the bootloader keeps wrapped keys, not plain ones"},
		&cli.StringFlag{Name: "erased-val", Aliases: []string{"R"}, Usage: "erased flash reads as `BYTE`: 0xff or 0", Value: "0xff"},
		&cli.BoolFlag{Name: "pad", Aliases: []string{"test"}, Usage: "fill the slot, and ask for one start of the image"},
		&cli.BoolFlag{Name: "confirm", Usage: "fill the slot, and confirm the image"},
		&cli.StringFlag{Name: "hex-addr", Usage: "the slot is at `ADDR`, for an --out that ends in .hex"},
		&cli.StringFlag{Name: "vector-to-sign", Usage: "write `WHAT` is to be signed, payload or digest, instead of an image"},
		&cli.PathFlag{Name: "signature", Aliases: []string{"fix-sig"}, Usage: "take the signature from `FILE`, binary or in base64"},
	},
	Action: mcubootSign,
}

func mcubootSign(c *cli.Context) error {
	if err := checkSignFlags(c); err != nil {
		return err
	}
	program, err := readMemory(c.Args().First())
	if err != nil {
		return err
	}
	spec, err := specOf(c)
	if err != nil {
		return err
	}
	if err := makeRoom(c, &program, &spec); err != nil {
		return err
	}
	if c.String("vector-to-sign") != "" {
		return writeVector(c, program.bytes, spec)
	}
	layout, err := layoutOf(c, program)
	if err != nil {
		return err
	}
	key, err := signerOf(c)
	if err != nil {
		return err
	}
	image, err := mcuboot.Sign(program.bytes, spec, key)
	if err != nil {
		return err
	}
	file, err := layout.file(image)
	if err != nil {
		return err
	}
	if err := site.WriteFile(c.Path("out"), file, 0o644); err != nil {
		return err
	}
	how := "unsigned, with a hash alone"
	if key != nil {
		how = "signed " + mcuboot.KeyName(key.Public())
	}
	return answer(c, map[string]any{"out": c.Path("out"), "bytes": len(file), "image_bytes": len(image)}, func(w io.Writer) {
		fmt.Fprintf(w, "image %s: %s, %d bytes\n", how, c.Path("out"), len(file))
	})
}

// checkSignFlags refuses what does not go together, before anything is read.
func checkSignFlags(c *cli.Context) error {
	if err := wantArgs(c, 1, "a program"); err != nil {
		return err
	}
	if err := wantFlag(c, "version"); err != nil {
		return err
	}
	if err := wantOut(c, c.Args().First(), c.String("key"), c.Path("signature"), c.Path("encrypt"), c.Path("factory-key")); err != nil {
		return err
	}
	fills := c.Bool("pad") || c.Bool("confirm")
	vector := c.String("vector-to-sign") != ""
	switch {
	case c.String("key") == "" && !c.Bool("unsigned") && !vector:
		return usagef("%s: --key is needed (--unsigned makes an image with a hash alone)", verbName(c))
	case c.String("key") != "" && c.Bool("unsigned"):
		return usagef("%s: --key and --unsigned exclude each other", verbName(c))
	case c.Path("signature") != "" && c.String("key") == "":
		return usagef("%s: --signature wants the public key of its signer as --key", verbName(c))
	case fills && c.Uint("slot-size") == 0:
		return usagef("%s: --pad and --confirm fill a slot: --slot-size is needed", verbName(c))
	case c.Uint("slot-size") != 0 && c.Uint("align") == 0:
		return usagef("%s: --slot-size depends on how flash is written: --align is needed", verbName(c))
	case c.Bool("clear") && !c.IsSet("encrypt") && !c.IsSet("encrypt-keylen"):
		return usagef("%s: --clear is for images of which updates are encrypted: --encrypt or --encrypt-keylen is needed", verbName(c))
	case c.IsSet("factory-key") && !c.IsSet("encrypt"):
		return usagef("%s: --factory-key makes the content key of --encrypt", verbName(c))
	case c.IsSet("load-addr") && c.IsSet("rom-fixed"):
		return usagef("%s: --load-addr and --rom-fixed exclude each other", verbName(c))
	}
	return nil
}

// writeVector is the first of three stages.
func writeVector(c *cli.Context, payload []byte, s mcuboot.Spec) error {
	var public crypto.PublicKey
	if uri := c.String("key"); uri != "" {
		var err error
		if public, err = openPublic(c, uri); err != nil {
			return err
		}
	}
	d, err := mcuboot.NewDraft(payload, s, public)
	if err != nil {
		return err
	}
	var data []byte
	switch what := c.String("vector-to-sign"); what {
	case "payload":
		data = d.Content()
	case "digest":
		data, _ = d.ToSign()
	default:
		return usagef("--vector-to-sign %s: want payload or digest", what)
	}
	if err := site.WriteFile(c.Path("out"), data, 0o644); err != nil {
		return err
	}
	return answer(c, map[string]any{"out": c.Path("out"), "bytes": len(data)}, func(w io.Writer) {
		fmt.Fprintf(w, "to be signed: %s, %d bytes\n", c.Path("out"), len(data))
	})
}

// signerOf opens the key to sign with; nil where the image is to have none.
func signerOf(c *cli.Context) (crypto.Signer, error) {
	uri, file := c.String("key"), c.Path("signature")
	switch {
	case uri == "":
		return nil, nil
	case file == "":
		return openSigner(c, uri)
	}
	public, err := openPublic(c, uri)
	if err != nil {
		return nil, err
	}
	text, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	signature, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		signature = text
	}
	return elsewhere{public, signature}, nil
}

// elsewhere is a key that has signed already: the last of three stages. What it
// signed is proved by whoever asks it to sign.
type elsewhere struct {
	public    crypto.PublicKey
	signature []byte
}

func (e elsewhere) Public() crypto.PublicKey { return e.public }

func (e elsewhere) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return e.signature, nil
}
