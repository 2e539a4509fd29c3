package main

import (
	"encoding/json"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// checkRoots refuses numbers of release roots that no site document can name.
func checkRoots(c *cli.Context) error {
	n, m := c.Int("roots"), c.Int("threshold")
	switch {
	case n < 1 || n > sitedoc.MaxRoots:
		return usagef("init: --roots %d: want 1 to %d", n, sitedoc.MaxRoots)
	case m < 1 || m > n:
		return usagef("init: --threshold %d: want 1 to %d, the number of roots", m, n)
	}
	return nil
}

// withRoots are the keys of a site with that many release roots.
func withRoots(n int) []siteKey {
	all := slices.Clone(siteKeys)
	for i := 2; i <= n; i++ {
		all = append(all, rootKey(rootName(i)))
	}
	return all
}

// roots are the release roots that were made.
func (m *maker) roots() (roots sitedoc.Roots, signers []sitedoc.Root, err error) {
	roots.Threshold = m.cli.Int("threshold")
	for _, k := range m.all {
		if k.role != custody.ReleaseRoot {
			continue
		}
		root, err := sign.NewRoot(m.keys[k.name])
		if err != nil {
			return roots, nil, err
		}
		roots.Keys, signers = append(roots.Keys, root.Key()), append(signers, root)
	}
	return roots, signers, nil
}

// writeRoots writes the public halves of the roots, as they are and as the chain of
// site documents begins.
func (m *maker) writeRoots(roots sitedoc.Roots) error {
	for i, k := range roots.Keys {
		text, err := sign.MarshalKey(k)
		if err != nil {
			return err
		}
		if err := site.WriteFile(m.site.Path("certs", rootName(i+1)+".pub.pem"), text, 0o644); err != nil {
			return err
		}
	}
	text, err := json.Marshal(roots)
	if err != nil {
		return err
	}
	return site.WriteFile(m.site.Path(firstRootsFile), append(text, '\n'), 0o644)
}
