package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

var crlVerb = &cli.Command{
	Name:        "crl",
	Usage:       "issue the next list of dead certificates: certs/boards.crl",
	Description: "For other relying parties: what tcpboot exports for RADIUS lists the living instead.",
	Action: withSite(func(s *session) error {
		if err := s.renderCRL(); err != nil {
			return err
		}
		out := s.site.Path("certs", "boards.crl")
		return answer(s.cli, map[string]string{"out": out}, func(w io.Writer) { fmt.Fprintf(w, "CRL in %s\n", out) })
	}),
}
