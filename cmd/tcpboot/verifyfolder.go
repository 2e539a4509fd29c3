package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

// verifyHere proves what lies at path with the site's keys.
func (s *session) verifyHere(path string) error {
	trust, err := s.trust()
	if err != nil {
		return err
	}
	proofs, err := (&judge{trust: trust}).prove(s.ctx(), path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return answer(s.cli, proofs, func(w io.Writer) { proofText(w, proofs) })
}

// withoutSite takes back what only a site document proves.
func (p *proof) withoutSite(key string) {
	for i, f := range p.Findings {
		switch f.Subject {
		case "manifest":
			p.Findings[i].Detail = "signed by the release key of " + printable(key)
		case "counter":
			p.Findings[i] = release.Finding{Subject: f.Subject, Detail: "no site document to hold it against"}
			p.Proved = false
		}
	}
}

// maxInFolder bounds the files of a folder that are looked at.
const maxInFolder = 64

// readFolder reads what may be part of a release.
func readFolder(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		limit := bundle.InFolder(e.Name())
		if !e.Type().IsRegular() || limit == 0 {
			continue
		}
		if len(files) == maxInFolder {
			return nil, fmt.Errorf("%s: more than %d files", dir, maxInFolder)
		}
		if files[e.Name()], err = readAtMost(filepath.Join(dir, e.Name()), limit); err != nil {
			return nil, err
		}
	}
	return files, nil
}
