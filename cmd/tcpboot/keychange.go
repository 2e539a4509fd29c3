package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tcpboot/tcpboot/pki/site"
)

// A keyChange is what a rotation, a renewal or a new key comes to: files that take
// their places, and where keys are from then on. Key, certificate and settings
// must not disagree, and a power cut can come between any two writes. So all of it
// is written to changeFile first, where nobody looks. Then its audit row is
// recorded: that is the moment. What follows can be repeated, and the next verb
// that changes the site does so when it finds the file: it looks for the row, and
// puts everything in place when it is there, or throws the file away.
type keyChange struct {
	After  uint64            `json:"after"` // the audit row before it
	Action string            `json:"action"`
	Key    string            `json:"key"`
	Detail string            `json:"detail"` // of its row: it names what is new, so no other row has it
	Files  []changedFile     `json:"files"`
	Keys   map[string]string `json:"keys,omitempty"` // for site.SetKeys

	// Document is the site document that it needs, as far as it is signed; nil when
	// it is among Files, or needs none. Such a change waits.
	Document []byte `json:"document,omitempty"`
}

// A changedFile is a file's content from then on; without any it is removed. Its
// path is from the site's folder, or absolute.
type changedFile struct {
	Path string      `json:"path"`
	Perm fs.FileMode `json:"perm"`
	Data []byte      `json:"data,omitempty"`
}

const changeFile = ".keychange"

// begin writes the change down.
func (s *session) begin(c *keyChange) error {
	if err := s.site.CanSetKeys(c.Keys); err != nil {
		return err
	}
	head, err := s.fleet.Head(s.ctx())
	if err != nil {
		return err
	}
	c.After = head.Sequence
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return site.WriteFile(s.site.Path(changeFile), text, 0o600)
}

// decide makes the change true.
func (s *session) decide(c *keyChange) error {
	return s.fleet.Record(s.ctx(), c.Action, c.Key, c.Detail)
}

// decided reports whether the change came to its moment.
func (s *session) decided(c *keyChange) (bool, error) {
	for row, err := range s.fleet.Audit(s.ctx()) {
		if err != nil {
			return false, err
		}
		if row.Sequence > c.After && row.Action == c.Action && row.Subject == c.Key && bytes.Equal(row.Detail, []byte(c.Detail)) {
			return true, nil
		}
	}
	return false, nil
}

// apply puts everything in place.
func (s *session) apply(c *keyChange) error {
	for _, f := range c.Files {
		path := f.Path
		if !filepath.IsAbs(path) {
			path = s.site.Path(path)
		}
		if f.Data == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := site.WriteFile(path, f.Data, f.Perm); err != nil {
			return err
		}
	}
	if len(c.Keys) > 0 {
		if err := s.site.SetKeys(c.Keys); err != nil {
			return err
		}
	}
	s.keys.uris = s.site.Settings.Keys
	return nil
}

// end forgets a change: it is in place, or never came to be.
func (s *session) end() error { return os.Remove(s.site.Path(changeFile)) }

// settleKeys finishes a change of keys that was cut off. A verb that only reads
// says so, and reads what there is.
func (s *session) settleKeys(readOnly bool) error {
	if !exists(s.site.Path(changeFile)) {
		return nil
	}
	if readOnly {
		say(s.cli, "keys are being changed, or that was cut off: the next verb that changes the site finishes it")
		return nil
	}
	unlock, err := s.lockKeys()
	if err != nil {
		return err
	}
	unlock()
	return nil
}

// lockKeys waits until nobody else changes keys, finishes what was cut off, and
// reads the settings again.
func (s *session) lockKeys() (unlock func(), err error) {
	unlock, err = s.site.Lock("keys")
	if err != nil {
		return nil, err
	}
	if err := s.finishKeys(); err != nil {
		unlock()
		return nil, fmt.Errorf("finishing a change of keys that was cut off: %w", err)
	}
	return unlock, nil
}

func (s *session) finishKeys() error {
	text, err := readSecretFile(s.site.Path(changeFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	reread, openErr := site.Open(s.site.Dir)
	if openErr != nil {
		return openErr
	}
	s.site.Settings = reread.Settings
	s.keys.uris = s.site.Settings.Keys
	if err != nil {
		return nil // there is none
	}
	c := &keyChange{}
	if err := strictJSON(text, c); err != nil {
		return fmt.Errorf("%s: %w", changeFile, err)
	}
	decided, err := s.decided(c)
	if err != nil {
		return err
	}
	if decided {
		if err := s.apply(c); err != nil {
			return err
		}
		s.finished = c
		if err := s.renderRADIUS(); err != nil { // the verb at hand may have nothing to do with it
			say(s.cli, "%v", err)
		}
	}
	return s.end()
}
