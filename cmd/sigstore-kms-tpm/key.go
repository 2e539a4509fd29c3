package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"

	"go.step.sm/crypto/kms/apiv1"
	"go.step.sm/crypto/kms/tpmkms"
	"go.step.sm/crypto/kms/uri"
	"golang.org/x/sys/unix"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// A place is a TPM and the folder in which its keys lie.
type place struct{ device, folder string }

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func open(name string) (helper.Key, error) {
	values, err := helper.Attributes("tpm", name, "name", "storage-directory", "device")
	if err != nil {
		return nil, err
	}
	p := place{values["device"], values["storage-directory"]}
	if p.device == "" {
		p.device = "/dev/tpmrm0"
	}
	switch {
	case !keyName.MatchString(values["name"]):
		return nil, errors.New("key URI: name: want up to 64 letters, digits, '.', '_' and '-'")
	case !helper.IsClean(p.folder):
		return nil, errors.New("key URI: storage-directory: want the absolute path of the folder with the TPM's keys")
	case !helper.IsClean(p.device):
		return nil, errors.New("key URI: device: want the absolute path of a TPM")
	}
	return helper.StepKey{
		Connect:  p.connect,
		Name:     uri.New(tpmkms.Scheme, url.Values{"name": {values["name"]}}).String(),
		Missing:  func(err error) bool { return errors.Is(err, apiv1.NotFoundError{}) },
		HashSalt: true,
	}, nil
}

// A session is a TPM that nobody else asks for the keys of this folder.
type session struct {
	*tpmkms.TPMKMS
	turn *os.File
}

// Close lets the next process in.
func (s session) Close() error { return errors.Join(s.TPMKMS.Close(), s.turn.Close()) }

func (p place) connect(ctx context.Context) (apiv1.KeyManager, error) {
	turn, err := os.Open(p.folder)
	if err != nil {
		return nil, fmt.Errorf("storage-directory: %w", err)
	}
	if err := unix.Flock(int(turn.Fd()), unix.LOCK_EX); err != nil {
		turn.Close()
		return nil, fmt.Errorf("storage-directory: waiting for its turn: %w", err)
	}
	store, err := tpmkms.New(ctx, apiv1.Options{URI: uri.New(tpmkms.Scheme, url.Values{
		"device": {p.device}, "storage-directory": {p.folder},
	}).String()})
	if err != nil {
		turn.Close()
		return nil, err
	}
	return session{store, turn}, nil
}
