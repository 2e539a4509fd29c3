package main

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/mcuboot"
)

var (
	factoryKeyFlag = &cli.PathFlag{Name: "factory-key", Usage: "the secret in `FILE`, in base64, makes content keys, one for each image, and so opens them"}
	decryptFlag    = &cli.StringSliceFlag{Name: "decrypt-key", Usage: "open encrypted images with `KEY`: the private key of the bootloader, or AES in base64 (may be repeated)"}
	hmacFlag       = &cli.StringFlag{Name: "hmac-sha", Usage: "wrap the content key for X25519 with SHA-`BITS`: 256 or 512", Value: "256"}
)

var mcubootEncryptVerb = &cli.Command{
	Name:      "encrypt",
	Usage:     "encrypt a signed image for a bootloader",
	ArgsUsage: "IMAGE",
	Description: "IMAGE is one that `mcuboot sign --clear` made, or `mcuboot decrypt`: its header says\n" +
		"that it is encrypted, and its program lies in the clear. The signature stays good,\n" +
		"so one signed image serves bootloaders with different keys. The content key is a\n" +
		"random one of this image alone, unless a factory key makes it.",
	Flags: []cli.Flag{
		&cli.PathFlag{Name: "to", Usage: "for the bootloader with `KEY`: RSA-2048, P-256, X25519, or AES in base64"},
		mcubootOutFlag, factoryKeyFlag, hmacFlag,
	},
	Action: mcubootEncrypt,
}

func mcubootEncrypt(c *cli.Context) error {
	if err := wantArgs(c, 1, "an image"); err != nil {
		return err
	}
	if err := wantFlag(c, "to"); err != nil {
		return err
	}
	if err := wantBinaryOut(c, c.Args().First(), c.Path("to"), c.Path("factory-key")); err != nil {
		return err
	}
	to, err := openRecipient(c, c.Path("to"))
	if err != nil {
		return err
	}
	secret, err := factoryKey(c)
	if err != nil {
		return err
	}
	return convert(c, "encrypted", 0o644, func(image []byte) ([]byte, error) {
		return mcuboot.Encrypt(image, mcuboot.Encryption{To: to, Factory: secret})
	})
}

var mcubootDecryptVerb = &cli.Command{
	Name:        "decrypt",
	Usage:       "the image with its program in the clear, as a primary slot holds it",
	ArgsUsage:   "IMAGE",
	Description: "The hash of the decrypted image is checked; its signature is for `mcuboot verify`.",
	Flags:       []cli.Flag{mcubootOutFlag, decryptFlag, factoryKeyFlag},
	Action:      mcubootDecrypt,
}

func mcubootDecrypt(c *cli.Context) error {
	if err := wantArgs(c, 1, "an image"); err != nil {
		return err
	}
	inputs := append(c.StringSlice("decrypt-key"), c.Args().First(), c.Path("factory-key"))
	if err := wantBinaryOut(c, inputs...); err != nil {
		return err
	}
	keys, err := openIdentities(c)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return usagef("%s: --decrypt-key or --factory-key is needed", verbName(c))
	}
	return convert(c, "decrypted", 0o600, func(image []byte) ([]byte, error) {
		return mcuboot.Decrypt(image, keys...)
	})
}

// convert makes --out of the image.
func convert(c *cli.Context, what string, perm fs.FileMode, by func([]byte) ([]byte, error)) error {
	path := c.Args().First()
	image, err := readMemory(path)
	if err != nil {
		return err
	}
	data, err := by(image.bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := site.WriteFile(c.Path("out"), data, perm); err != nil {
		return err
	}
	return answer(c, map[string]any{"out": c.Path("out"), "bytes": len(data)}, func(w io.Writer) {
		fmt.Fprintf(w, "image %s: %s, %d bytes\n", what, c.Path("out"), len(data))
	})
}
