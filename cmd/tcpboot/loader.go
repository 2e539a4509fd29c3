package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

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
			"chose for the site, its hardware and the board. At level 2 the whole project of our\n" +
			"loader is laid down, with the board's credentials as an NVS partition beside it.",
		BashComplete: completeMACs,
		Flags: append([]cli.Flag{
			&cli.PathFlag{Name: "out", Usage: "write a new folder `DIR`"},
			&cli.PathFlag{Name: "project", Usage: "write into the loader's source tree `DIR`"},
			&cli.IntFlag{Name: "level", Usage: "for a loader of level `N`: 0 that of 2017, 1 one on a current ESP-IDF that refuses unsigned updates, 2 ours", DefaultText: "the board's"},
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
	if s.cli.Bool("nvs-encrypt") && s.cli.IsSet("nvs-hmac-key") {
		return usagef("loader export: --nvs-encrypt makes keys, --nvs-hmac-key has one; want one of them")
	}
	if d.State != fleet.Active {
		return &notActiveError{d}
	}
	e, err := s.loaderTree(d)
	if err != nil {
		return err
	}
	where := out
	if project != "" {
		where = project
		err = exportInto(s, project, e)
	} else {
		err = exportNew(out, e)
	}
	if err != nil {
		return err
	}
	return answer(s.cli, map[string]any{"mac": d.MAC, "out": where}, func(w io.Writer) {
		fmt.Fprintf(w, "loader configuration of %s in %s\n", d.MAC, where)
	})
}

// loaderTree is the board's delivery with the options of its site, its hardware and its
// own, and of its loader's level; for our loader, with all of its project.
func (s *session) loaderTree(d fleet.Device) (*loaderTree, error) {
	files, err := s.deliveryInForce(d)
	if err != nil {
		return nil, err
	}
	level := d.Loader.Level
	if s.cli.IsSet("level") {
		if level = s.cli.Int("level"); level < 0 || level > ourLevel {
			return nil, usagef("--level %d: want 0, 1 or 2", level)
		}
	}
	h, err := s.hardware(d.Hardware)
	if err != nil {
		return nil, err
	}
	if err := s.withLayers(files, d, h, level); err != nil {
		return nil, err
	}
	if err := s.addNVS(files, d, level); err != nil {
		return nil, err
	}
	if files, err = s.withOptions(files, h, level); err != nil || level < ourLevel {
		return &loaderTree{files: files}, err
	}
	return s.ours(files, d)
}

// exportNew writes a folder that was not there before.
func exportNew(out string, e *loaderTree) error {
	if err := refuseFilled(out); err != nil {
		return err
	}
	files, err := e.whole()
	if err != nil {
		return err
	}
	return site.WriteDir(out, files, 0o600)
}
