package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/cmd/tcpboot/story"
)

var demoVerb = &cli.Command{
	Name:  "demo",
	Usage: "the whole story on your screen, in a temporary folder; no site is needed",
	Description: "Types the commands of a site's life, each of which it shows, at this very program: a\n" +
		"site, two boards, a release that is served over TCP, an update over a line that is\n" +
		"cut, a lost board. FreeRADIUS judges who gets in, where it and eapol_test are\n" +
		"installed. Nothing of it stays.",
	Flags: []cli.Flag{
		&cli.PathFlag{Name: "app", Usage: "an application `IMAGE` (ESP32, unsigned) instead of a stand-in"},
		&cli.PathFlag{Name: "board", Usage: "build the board with our loader in `DIR`: templates/loader/host_test of the sources (default: tcpboot fetch plays it)"},
		&cli.BoolFlag{Name: "keep", Usage: "leave the site there to look at"},
	},
	Action: func(c *cli.Context) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		return story.Tell(c.Context, c.App.Writer, story.Cast{
			Tcpboot: self, App: c.Path("app"), Board: c.Path("board"), Keep: c.Bool("keep"),
		})
	},
}
