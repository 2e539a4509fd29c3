package main

import (
	"crypto"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/espimage"
)

var loaderSignVerb = &cli.Command{
	Name:      "sign",
	Usage:     "sign a loader with the app key",
	ArgsUsage: "IMAGE",
	Description: "A loader that refuses unsigned updates trusts whoever signed itself: flashed\n" +
		"unsigned it stops at every start.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "hardware", Usage: "it is for hardware `H` of tcpboot.yaml"},
		&cli.PathFlag{Name: "out", Usage: "write the signed image to `FILE`"},
	},
	Action: readingSite(loaderSign),
}

func loaderSign(s *session) error {
	if err := wantArgs(s.cli, 1, "an image"); err != nil {
		return err
	}
	if err := wantFlag(s.cli, "out"); err != nil {
		return err
	}
	image, h, err := s.readLoader(s.cli.Args().First(), s.cli.String("hardware"))
	if err != nil {
		return err
	}
	key, err := s.keys.open(appKeyFor(h.Scheme))
	if err != nil {
		return err
	}
	signed, err := signLoader(image, h.Scheme, key)
	if err != nil {
		return err
	}
	if err := site.WriteFile(s.cli.Path("out"), signed, 0o644); err != nil {
		return err
	}
	return answer(s.cli, map[string]any{"out": s.cli.Path("out"), "bytes": len(signed)}, func(w io.Writer) {
		fmt.Fprintf(w, "loader signed %s: %s, %d bytes\n", h.Scheme, s.cli.Path("out"), len(signed))
	})
}

// readLoader reads an unsigned loader, and refuses one that boards of the hardware
// could not hold or run.
func (s *session) readLoader(path, hardware string) (image []byte, h release.Hardware, err error) {
	if image, err = readImage(path); err != nil {
		return nil, h, err
	}
	im, err := espimage.CheckRelease(image)
	if err != nil {
		return nil, h, fmt.Errorf("%s: %w", path, err)
	}
	if h, err = s.hardware(hardware); err != nil {
		return nil, h, err
	}
	room := int64(s.site.Settings.Hardware[h.Name].LoaderSize())
	switch size := int64(espimage.SignedSize(im.Length, h.Scheme)); {
	case im.Chip != h.Chip:
		return nil, h, fmt.Errorf("header at offset 12: image for %s, hardware %s is %s", im.Chip, h.Name, h.Chip)
	case size > room:
		return nil, h, fmt.Errorf("image of %d bytes, %d when signed, does not fit the loader's partition of hardware %s, %d", im.Length, size, h.Name, room)
	}
	return image, h, nil
}

// loaderBy is a loader that trusts key.
func (s *session) loaderBy(key crypto.Signer, hardware, path string) ([]byte, error) {
	image, h, err := s.readLoader(path, hardware)
	if err != nil {
		return nil, err
	}
	return signLoader(image, h.Scheme, key)
}

func signLoader(image []byte, scheme espimage.Scheme, key crypto.Signer) ([]byte, error) {
	if scheme == espimage.V1 {
		return espimage.SignV1(image, key)
	}
	return espimage.Sign(image, key)
}
