package main

import (
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki"
)

// renderChange renders what a change of keys shows in, and returns the exports
// whose server must be restarted: neither FreeRADIUS nor hostapd takes up another
// certificate or CA at a signal.
func (p *keyPlan) renderChange() (restart []string, err error) {
	rotated := p.change.Action == "key.rotate"
	if p.name == "radius" && rotated {
		if _, err := p.keys.open("radius"); err != nil { // exports hold it in the clear
			return []string{}, err
		}
	}
	if err := p.renderRADIUS(); err != nil {
		return []string{}, err
	}
	if p.hierarchy == pki.Boards && rotated {
		if err := p.renderCRL(); err != nil {
			say(p.cli, "%s is not renewed (%v): run `tcpboot crl` where the keys can be opened", crlFile, err)
		}
	}
	if p.hierarchy != pki.Boards && p.hierarchy != pki.RADIUS {
		return []string{}, nil
	}
	return p.restartRADIUS()
}

// restartRADIUS runs what the exports say that reloads their servers. For hostapd
// that is a restart; of another server nobody knows, so it is named.
func (p *keyPlan) restartRADIUS() (restart []string, err error) {
	restart = []string{}
	all, err := p.exports()
	if err != nil {
		return restart, err
	}
	var failed []error
	for _, e := range all {
		if e.Command != "" {
			if err := e.signal(p.ctx()); err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", e.Dir, err))
			}
		}
		switch {
		case e.Format == "authorize":
			say(p.cli, "%s: its server has its certificates from elsewhere: give it those of certs/ (radius.pem, radius-ca.pem, each boards-ca*.pem)", e.Dir)
		case e.Format != "hostapd" || e.Command == "":
			restart = append(restart, e.Dir)
		}
	}
	return restart, errors.Join(failed...)
}
