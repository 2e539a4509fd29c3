package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
)

var loaderVerb = &cli.Command{
	Name:  "loader",
	Usage: "what a board's loader is built with",
	Subcommands: []*cli.Command{{
		Name:      "export",
		Usage:     "write sdkconfig values and certificates of one board",
		ArgsUsage: "MAC",
		Description: "Into a new folder (--out), or into a loader's source tree (--project). The values\n" +
			"come from the board's delivery, which holds its secrets, and from what `menuconfig`\n" +
			"chose for the site, its hardware and the board.",
		BashComplete: completeMACs,
		Flags: append([]cli.Flag{
			&cli.PathFlag{Name: "out", Usage: "write a new folder `DIR`"},
			&cli.PathFlag{Name: "project", Usage: "write into the loader's source tree `DIR`"},
			&cli.IntFlag{Name: "level", Usage: "0: the loader of 2017; 1: a loader on a current ESP-IDF that refuses unsigned updates (default: the board's)"},
			&cli.PathFlag{Name: "idf", Usage: "check what the site chose against ESP-IDF in `DIR` too", EnvVars: []string{"IDF_PATH"}},
			allowUnknownFlag,
		}, nvsFlags...),
		Action: readingSite(loaderExport),
	}, loaderSignVerb},
}

func loaderExport(s *session) error {
	d, err := s.device(0)
	if err != nil {
		return err
	}
	out, project := s.cli.Path("out"), s.cli.Path("project")
	if (out == "") == (project == "") {
		return usagef("loader export: want --out DIR or --project DIR")
	}
	if d.State != fleet.Active {
		return &notActiveError{d}
	}
	files, err := s.loaderFiles(d)
	if err != nil {
		return err
	}
	where := out
	if project != "" {
		where = project
		err = exportInto(s, project, files)
	} else {
		err = exportNew(out, files)
	}
	if err != nil {
		return err
	}
	return answer(s.cli, map[string]any{"mac": d.MAC, "out": where}, func(w io.Writer) {
		fmt.Fprintf(w, "loader configuration of %s in %s\n", d.MAC, where)
	})
}

// loaderFiles are the board's delivery with the options of its site, its hardware
// and its own, and of its loader's level.
func (s *session) loaderFiles(d fleet.Device) (delivery.Files, error) {
	files, err := s.deliveryInForce(d)
	if err != nil {
		return nil, err
	}
	level := d.Loader.Level
	if s.cli.IsSet("level") {
		level = s.cli.Int("level")
	}
	h, err := s.hardware(d.Hardware)
	if err != nil {
		return nil, err
	}
	if err := s.withLayers(files, d, h, level); err != nil {
		return nil, err
	}
	if err := s.addNVS(files, d); err != nil {
		return nil, err
	}
	return s.withOptions(files, h, level)
}

// exportNew writes a folder that was not there before.
func exportNew(out string, files delivery.Files) error {
	if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s: is there already, with %d entries in it", out, len(entries))
	}
	return site.WriteDir(out, files, 0o600)
}
