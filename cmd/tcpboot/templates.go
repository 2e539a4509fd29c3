package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/site"
)

// siteTemplates are the certificate shapes: the embedded ones, each replaced by
// templates/NAME.tpl of the site where there is such a file.
func siteTemplates(s *site.Site) (pki.Templates, error) {
	t := pki.DefaultTemplates()
	for name, text := range map[string]*string{"root": &t.Root, "ca": &t.CA, "board": &t.Board, "server": &t.Server} {
		own, err := os.ReadFile(s.Path("templates", name+".tpl"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return t, err
		}
		*text = string(own)
	}
	return t, nil
}
