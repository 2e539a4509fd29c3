package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"go.step.sm/crypto/kms/apiv1"
	"go.step.sm/crypto/kms/uri"
	"go.step.sm/crypto/kms/yubikey"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

const maxPIN = 8 // bytes, as PIV has it

var (
	slotID = regexp.MustCompile(`^9[acde]$|^8[2-9a-f]$|^9[0-5]$`)
	serial = regexp.MustCompile(`^[0-9]{0,10}$`)
)

// A key is what a slot holds. It cannot be made from here.
type key struct{ helper.StepKey }

func (key) Create(context.Context, helper.Algorithm) (crypto.PublicKey, error) {
	return nil, errors.New("a key on a YubiKey is made by its own program: ykman piv keys generate --algorithm ALGORITHM SLOT FILE")
}

func open(text string) (helper.Key, error) {
	values, err := helper.Attributes("yubikey", text, "slot-id", "serial", "pin-source")
	if err != nil {
		return nil, err
	}
	slot, number, pinFile := values["slot-id"], values["serial"], helper.LocalFile(values["pin-source"])
	switch {
	case !slotID.MatchString(slot):
		return nil, errors.New("key URI: slot-id: want 9a, 9c, 9d, 9e, or 82 to 95")
	case !serial.MatchString(number):
		return nil, errors.New("key URI: serial: want a number")
	case !helper.IsClean(pinFile):
		return nil, errors.New("key URI: pin-source: want file: and the absolute path of a file that holds the PIN")
	}
	return key{helper.StepKey{
		Connect: func(ctx context.Context) (apiv1.KeyManager, error) { return connect(ctx, number, pinFile) },
		Name:    uri.New(yubikey.Scheme, url.Values{"slot-id": {slot}}).String(),
	}}, nil
}

// A session is a YubiKey that nobody else asks by the same PIN.
type session struct {
	*yubikey.YubiKey
	pin *helper.Secret
}

// Close lets the next process in.
func (s session) Close() error { return errors.Join(s.YubiKey.Close(), s.pin.Close()) }

func connect(ctx context.Context, serial, pinFile string) (apiv1.KeyManager, error) {
	pin, err := helper.OpenSecret(pinFile, maxPIN)
	if err != nil {
		return nil, fmt.Errorf("pin-source: %w", err)
	}
	values := url.Values{}
	if serial != "" {
		values.Set("serial", serial)
	}
	card, err := yubikey.New(ctx, apiv1.Options{URI: uri.New(yubikey.Scheme, values).String(), Pin: pin.Text})
	if err != nil {
		pin.Close()
		return nil, err
	}
	return session{card, pin}, nil
}
