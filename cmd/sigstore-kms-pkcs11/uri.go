package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const maxURI = 2048

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
	values, err := parseAttributes(strings.TrimPrefix(text, "pkcs11:"))
	if err != nil {
		return keyURI{}, fmt.Errorf("key URI: %w", err)
	}
	k, err := newKeyURI(values)
	if err != nil {
		return keyURI{}, fmt.Errorf("key URI: %w", err)
	}
	return k, nil
}

// parseAttributes splits PATH?QUERY, where the one has ';' and the other '&'
// between its attributes. RFC 7512 says which attribute goes where; other
// programs do not care, and neither does this one.
func parseAttributes(text string) (map[string]string, error) {
	if len(text) > maxURI {
		return nil, fmt.Errorf("longer than %d bytes", maxURI)
	}
	path, query, hasQuery := strings.Cut(text, "?")
	parts := strings.Split(path, ";")
	if hasQuery {
		parts = append(parts, strings.Split(query, "&")...)
	}
	values := make(map[string]string)
	for _, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		_, twice := values[name]
		switch {
		case name == "pin-value":
			return nil, errors.New("pin-value shows the PIN to every user of the machine: write it to a file and name that, pin-source=file:/PATH")
		case !ok || !slices.Contains(attributes, name):
			return nil, fmt.Errorf("want attributes NAME=VALUE, NAME being %s", strings.Join(attributes, ", "))
		case value == "":
			return nil, fmt.Errorf("%s is empty", name)
		case twice:
			return nil, fmt.Errorf("%s stands twice", name)
		}
		values[name] = value
	}
	return values, nil
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
		if *text, err = unescape(values[name]); err != nil {
			return k, fmt.Errorf("%s: %w", name, err)
		}
	}
	k.pinFile = localFile(k.pinFile)
	return k, k.check()
}

var errEscape = errors.New("want printable ASCII without blanks, and %XX for all else")

// unescape undoes %XX. Unlike a query's, a '+' is a '+'.
func unescape(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errEscape
	}
	text, err := url.PathUnescape(s)
	if err != nil || strings.ContainsRune(text, 0) {
		return "", errEscape
	}
	return text, nil
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

// localFile returns the path in file:/PATH and file:///PATH.
func localFile(s string) string {
	path := strings.TrimPrefix(s, "file:")
	if path != s && strings.HasPrefix(path, "///") {
		path = path[2:]
	}
	return path
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
	case !isClean(k.module):
		return errors.New("module-path: want the absolute path of the token's library")
	case k.pinFile != "" && !isClean(k.pinFile):
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

func isClean(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }
