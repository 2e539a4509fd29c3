package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/site"
)

var keyCopyVerb = &cli.Command{
	Name:  "copy",
	Usage: "put the keys that the recovery copy lacks into it",
	Description: "After `key rotate --no-recovery`. Asks for the copy's code and opens the keys that\n" +
		"are missing there or were replaced since; the others stay as they are. The copy is\n" +
		"then proved as by `key check --recovery`.",
	Flags:  append([]cli.Flag{withFlag}, recoveryFlags...),
	Action: withSite(keyCopy),
}

func keyCopy(s *session) error {
	unlock, err := s.lockKeys()
	if err != nil {
		return err
	}
	defer unlock()
	if exists(s.site.Path(waitingFile)) { // it has the copy as it is to be
		return errWaiting
	}
	copied, err := s.openCopy(true)
	if err != nil {
		return err
	}
	if err := s.keys.borrow(s.cli.StringSlice("with")); err != nil {
		return err
	}
	added, err := s.completeCopy(copied)
	if err != nil {
		return err
	}
	if len(added) > 0 {
		if err := site.WriteFile(copied.file, recoveryText(copied.entries), 0o600); err != nil {
			return err
		}
	}
	if _, err := s.checkRecovery(copied.file, copied.code); err != nil {
		return err
	}
	return answer(s.cli, map[string]any{"added": added, "copy": copied.file}, func(w io.Writer) {
		fmt.Fprintf(w, "%d keys added to %s, which opens\n", len(added), copied.file)
	})
}

// completeCopy adds the keys that the copy lacks, or has another of.
func (s *session) completeCopy(c *recoveryCopy) (added []string, err error) {
	added = []string{}
	have, err := openRecovery(recoveryText(c.entries), c.code)
	if err != nil {
		return nil, err
	}
	all, err := s.lastingKeys()
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if custody.Store(s.keys.uri(k.name)) != "" || s.held(k) || have[k.name] != nil && s.matchesPublic(k.name, have[k.name].Public()) == nil {
			continue
		}
		key, err := s.keys.open(k.name)
		if err != nil {
			return nil, err
		}
		if err := s.matchesPublic(k.name, key.Public()); err != nil {
			return nil, fmt.Errorf("key %s: %w", k.name, err)
		}
		if err := c.replace(k.name, "", key); err != nil {
			return nil, err
		}
		added = append(added, k.name)
	}
	return added, nil
}
