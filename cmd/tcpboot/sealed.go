package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/seal"
	"github.com/tcpboot/tcpboot/pki/site"
)

// A sealedBox is an outbox that hands a batch out as one sealed file, and writes
// into the trail whose secrets went there, for whom. No secret is on disk in the
// clear.
type sealedBox struct {
	outbox
	s  *session
	to seal.Recipients

	// What lies at the name of a batch may be replaced: by the names of its boards
	// it can only be what a run left that was cut off before they became active,
	// and admits nobody.
	replace bool
}

const sealedSuffix = ".tar.age"

// recipients reads those of a flag: an age1…, or a file of them.
func recipients(c *cli.Context, flag string) (all seal.Recipients, err error) {
	for _, v := range c.StringSlice(flag) {
		text, what := v, "--"+flag
		if !strings.HasPrefix(v, "age1") && !strings.HasPrefix(v, "AGE-SECRET-KEY-") {
			file, err := os.ReadFile(v)
			if err != nil {
				return all, err
			}
			text, what = string(file), v
		}
		r, err := seal.Parse(text)
		if err != nil {
			return all, usageError{fmt.Errorf("%s: %w", what, err)}
		}
		all.Add(r)
	}
	if err := all.Check(); err != nil {
		return all, usageError{fmt.Errorf("--%s: %w", flag, err)}
	}
	return all, nil
}

func (b sealedBox) Deliver(batch []delivery.Handout) (func(fleet.MAC) string, error) {
	if err := site.MakeDir(b.dir); err != nil {
		return nil, err
	}
	file, err := b.name(batch)
	if err != nil {
		return nil, err
	}
	sum, err := b.write(file, batch)
	if err != nil {
		return nil, err
	}
	return func(fleet.MAC) string { return file }, b.record(file, sum, batch)
}

// name is FIRST-LAST, by the boards of the batch. A list that is enrolled again
// after a run was cut off has the same batches, so the same names.
func (b sealedBox) name(batch []delivery.Handout) (string, error) {
	name := filepath.Join(b.dir, fmt.Sprintf("%s-%s", batch[0].MAC, batch[len(batch)-1].MAC))
	if b.replace {
		return name + sealedSuffix, nil
	}
	for i := 1; ; i++ {
		file := name + sealedSuffix
		if i > 1 {
			file = fmt.Sprintf("%s-%d%s", name, i, sealedSuffix)
		}
		if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
			return file, nil
		} else if err != nil {
			return "", err
		}
	}
}

func (b sealedBox) write(file string, batch []delivery.Handout) (sum fleet.Digest, err error) {
	f, err := site.NewFile(file, 0o600)
	if err != nil {
		return sum, err
	}
	defer f.Abort()
	h := sha256.New()
	if err := seal.Write(io.MultiWriter(f, h), b.to, batch); err != nil {
		return sum, err
	}
	return digest(h), f.Commit()
}

func digest(h hash.Hash) (sum fleet.Digest) {
	h.Sum(sum[:0])
	return sum
}

// sealAction is the audit row of a sealed delivery.
const sealAction = "delivery.seal"

// A sealDetail says where secrets went: by the serials of their certificates, of
// which the trail knows the boards.
type sealDetail struct {
	File       string         `json:"file"`
	SHA256     fleet.Digest   `json:"sha256"`
	Recipients []string       `json:"recipients"`
	Serials    []fleet.Serial `json:"serials"`
}

func (b sealedBox) record(file string, sum fleet.Digest, batch []delivery.Handout) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	detail := sealDetail{File: abs, SHA256: sum, Recipients: b.to.Names()}
	for _, h := range batch {
		detail.Serials = append(detail.Serials, h.Serial)
	}
	text, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	subject := fmt.Sprintf("%s-%s", batch[0].MAC, batch[len(batch)-1].MAC)
	return b.s.fleet.Record(b.s.ctx(), sealAction, subject, string(text))
}

// A sealedError says that a board's delivery cannot be read here.
type sealedError struct {
	fleet.MAC
	to, file string
}

func (e *sealedError) Error() string {
	return fmt.Sprintf("%s: sealed delivery: its secrets went to %s, in %s", e.MAC, e.to, e.file)
}

// whereSealed is why a delivery is not in boards/, when it was sealed; else it is
// err.
func (s *session) whereSealed(d fleet.Device, err error) error {
	var gone *noDeliveryError
	var stale *staleDeliveryError
	if len(d.Admissions) == 0 || !errors.As(err, &gone) && !errors.As(err, &stale) {
		return err
	}
	row, lookErr := s.fleet.Recorded(s.ctx(), sealAction, d.Admissions[0].Serial.String())
	if errors.Is(lookErr, fleet.ErrUnknown) {
		return err
	}
	var detail sealDetail
	if lookErr := errors.Join(lookErr, json.Unmarshal(row.Detail, &detail)); lookErr != nil {
		return errors.Join(err, lookErr)
	}
	return &sealedError{d.MAC, strings.Join(detail.Recipients, ", "), detail.File}
}
