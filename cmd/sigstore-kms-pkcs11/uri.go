package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// A keyURI names one key.
type keyURI struct {
	module              string // the library, an absolute path
	token, serial, slot string // exactly one is set
	id                  []byte
	object              string
	pinFile             string // an absolute path, or ""
}

var attributes = []string{"module-path", "token", "serial", "slot-id", "id", "object", "pin-source"}

// parseKey reads a PKCS #11 URI, with or without its scheme. No error repeats a
// value: it may be a PIN in the wrong place.
func parseKey(text string) (keyURI, error) {
	values, err := helper.Split("pkcs11", text, attributes...)
	if err != nil {
		return keyURI{}, fmt.Errorf("key URI: %w", err)
	}
	k, err := newKeyURI(values)
	if err != nil {
		return keyURI{}, fmt.Errorf("key URI: %w", err)
	}
	return k, nil
}

func newKeyURI(values map[string]string) (k keyURI, err error) {
	if k.id, err = parseID(values["id"]); err != nil {
		return k, err
	}
	texts := map[string]*string{
		"module-path": &k.module, "token": &k.token, "serial": &k.serial,
		"slot-id": &k.slot, "object": &k.object, "pin-source": &k.pinFile,
	}
	for name, text := range texts {
		if *text, err = helper.Unescape(values[name]); err != nil {
			return k, fmt.Errorf("%s: %w", name, err)
		}
	}
	k.pinFile = helper.LocalFile(k.pinFile)
	return k, k.check()
}

var (
	escapedID = regexp.MustCompile(`^(%[0-9a-fA-F]{2}){1,64}$`)
	hexID     = regexp.MustCompile(`^([0-9a-fA-F]{2}){1,64}$`)
	slotText  = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)
)

func parseID(s string) ([]byte, error) {
	switch {
	case s == "":
		return nil, nil
	case escapedID.MatchString(s):
		s = strings.ReplaceAll(s, "%", "")
	case !hexID.MatchString(s):
		return nil, errors.New("id: want bytes as %XX, or all of them in hex")
	}
	return hex.DecodeString(s)
}

func (k keyURI) check() error {
	tokens := 0
	for _, t := range []string{k.token, k.serial, k.slot} {
		if t != "" {
			tokens++
		}
	}
	switch {
	case tokens != 1:
		return errors.New("want one of token, serial and slot-id")
	case k.id == nil && k.object == "":
		return errors.New("want object or id")
	case !helper.IsClean(k.module):
		return errors.New("module-path: want the absolute path of the token's library")
	case k.pinFile != "" && !helper.IsClean(k.pinFile):
		return errors.New("pin-source: want file: and the absolute path of a file that holds the PIN")
	}
	return k.checkSlot()
}

func (k keyURI) checkSlot() error {
	if k.slot == "" {
		return nil
	}
	if _, err := strconv.ParseUint(k.slot, 10, 31); err != nil || !slotText.MatchString(k.slot) {
		return errors.New("slot-id: want a number")
	}
	return nil
}
