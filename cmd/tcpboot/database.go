package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

var databaseVerb = &cli.Command{
	Name:  "database",
	Usage: "the registry on PostgreSQL, and who may do what in it",
	Subcommands: []*cli.Command{{
		Name:  "grant",
		Usage: "bring the schema up to date, and state the rights of the group roles anew",
		Description: "For the registry's owner: after roles were made by hand, and after an update of tcpboot.\n" +
			"Makes the group roles that do not exist, where it may. People and machines log in by\n" +
			"roles of their own, which are members of these (SQL: GRANT tcpboot_enrol TO alice).",
		Action: databaseGrant,
	}},
}

func databaseGrant(c *cli.Context) error {
	dir, err := siteDir(c)
	if err != nil {
		return err
	}
	s, err := site.Open(dir)
	if err != nil {
		return err
	}
	roles, err := registry.Grant(c.Context, databaseURL(s))
	if err != nil {
		return err
	}
	return answer(c, roles, func(w io.Writer) {
		var rows [][]string
		for _, r := range roles {
			members := strings.Join(r.Members, ", ")
			if !r.There {
				members = "not made: CREATE ROLE " + r.Name
			}
			rows = append(rows, []string{r.Name, members, r.May})
		}
		table(w, "ROLE MEMBERS MAY", rows)
	})
}
