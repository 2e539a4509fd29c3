package helper

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

const maxURI = 2048

// Attributes reads the attributes of a key's URI, with or without its scheme. No
// error repeats a value: it may be a secret in the wrong place.
func Attributes(scheme, text string, known ...string) (map[string]string, error) {
	values, err := Split(scheme, text, known...)
	if err != nil {
		return nil, fmt.Errorf("key URI: %w", err)
	}
	for name, value := range values {
		if values[name], err = Unescape(value); err != nil {
			return nil, fmt.Errorf("key URI: %s: %w", name, err)
		}
	}
	return values, nil
}

// Split is Attributes with values as they were written. It splits PATH?QUERY, where the one has ';' and the other '&' between its
// attributes. RFC 7512 says which attribute goes where; other programs do not
// care, and neither does this one.
func Split(scheme, text string, known ...string) (map[string]string, error) {
	text = strings.TrimPrefix(text, scheme+":")
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
		case !ok || !slices.Contains(known, name):
			return nil, fmt.Errorf("want attributes NAME=VALUE, NAME being %s", strings.Join(known, ", "))
		case value == "":
			return nil, fmt.Errorf("%s is empty", name)
		case twice:
			return nil, fmt.Errorf("%s stands twice", name)
		}
		values[name] = value
	}
	return values, nil
}

var errEscape = errors.New("want printable ASCII without blanks, and %XX for all else")

// Unescape undoes %XX. Unlike a query's, a '+' is a '+'.
func Unescape(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errEscape
	}
	text, err := url.PathUnescape(s)
	if err != nil || strings.ContainsRune(text, 0) {
		return "", errEscape
	}
	return text, nil
}

// LocalFile returns the path in file:/PATH and file:///PATH.
func LocalFile(s string) string {
	path := strings.TrimPrefix(s, "file:")
	if path != s && strings.HasPrefix(path, "///") {
		path = path[2:]
	}
	return path
}

// IsClean reports whether path is absolute and takes no detour.
func IsClean(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }
