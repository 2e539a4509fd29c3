package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/radius"
)

var radiusReloadVerb = &cli.Command{
	Name:  "reload",
	Usage: "make the RADIUS servers take up what was rendered, and prove that they did",
	Description: "For the exports made with --pid-file or --reload. revoke and rotate do so by themselves.\n" +
		"Exit status 1, \"still admitted\", when a server does not say that it goes by the new list.",
	Action: readingSite(func(s *session) error {
		n, err := s.reloadRADIUS()
		if err != nil {
			return err
		}
		all, err := s.exports()
		if err != nil {
			return err
		}
		switch {
		case n == 0 && slices.ContainsFunc(all, func(e export) bool { return formats[e.Format].asks }):
			return s.sayAtOnce()
		case n == 0:
			return errors.New("no export says how to reload its server: radius export --pid-file FILE or --reload COMMAND")
		}
		return answer(s.cli, map[string]int{"reloaded": n}, func(w io.Writer) {
			fmt.Fprintf(w, "%d RADIUS servers go by the present list\n", n)
		})
	}),
}

// reloadRADIUS reloads the server of every export that says how, and returns how
// many have proved that they go by what is rendered.
func (s *session) reloadRADIUS() (n int, err error) {
	all, err := s.exports()
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, e := range all {
		if !e.reloads() {
			continue
		}
		if err := s.reload(e); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", e.Dir, err))
			continue
		}
		n++
	}
	return n, errors.Join(failed...)
}

func (e export) reloads() bool { return e.PIDFile != "" || e.Command != "" }

// reload signals one server until it answers that it goes by the list in its
// folder.
func (s *session) reload(e export) error {
	server, err := s.radiusServer(nil)
	if err != nil {
		return err
	}
	query, err := server.Query()
	if err != nil {
		return err
	}
	running := radius.Running{Ask: query.FreeRADIUS, Signal: e.signal}
	list := "authorize"
	if e.Format == "hostapd" {
		running.Ask, list = query.Hostapd, "eap_user"
	}
	f, err := os.Open(filepath.Join(e.Dir, list))
	if err != nil {
		return err
	}
	defer f.Close()
	state, err := radius.State(f)
	if err != nil {
		return err
	}
	return radius.Reload(s.ctx(), running, state)
}

// signal makes the server read its files again.
func (e export) signal(ctx context.Context) error {
	if e.Format == "freeradius" {
		if err := radius.Touch(e.Dir, time.Now()); err != nil {
			return err
		}
	}
	if e.PIDFile != "" {
		return radius.HUP(e.PIDFile)
	}
	out, err := exec.CommandContext(ctx, "/bin/sh", "-c", e.Command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %.200q", e.Command, err, out)
	}
	return nil
}

// noGrace refuses a grace where a server of this site could not keep it.
func (s *session) noGrace() error {
	all, err := s.exports()
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Format == "hostapd" {
			return radius.ErrGrace
		}
	}
	return nil
}
