package custody

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Bounds on the URI of a key in a store.
const (
	maxScheme = 32
	maxURI    = 2048
)

var (
	schemeText    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	attributeText = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

// Store returns the scheme of the key store that uri names, "" when it names a
// file or nothing. A key in a store needs no passphrase.
func Store(uri string) string {
	scheme, _, ok := strings.Cut(uri, ":")
	if !ok || scheme == "file" || len(scheme) > maxScheme || !schemeText.MatchString(scheme) {
		return ""
	}
	return scheme
}

// CheckStored says why uri, which names a key in a store, cannot be used, before
// anything is asked of the store: it holds a PIN, for instance. The error does
// not repeat it.
func CheckStored(uri string) error {
	_, err := storedKey(uri)
	return err
}

// storedKey returns what a helper knows a key by: the URI without its scheme.
// Between the two may stand "//", as other programs write it.
func storedKey(uri string) (string, error) {
	scheme, name, _ := strings.Cut(uri, ":")
	name = strings.TrimPrefix(name, "//")
	if err := checkStored(scheme, name); err != nil {
		return "", fmt.Errorf("%s: %w", scheme, err)
	}
	return name, nil
}

func checkStored(scheme, name string) error {
	switch {
	case name == "":
		return errors.New("the key URI names no key")
	case len(name) > maxURI:
		return fmt.Errorf("the key URI is longer than %d bytes", maxURI)
	case strings.ContainsFunc(name, unfitForURI):
		return errors.New("the key URI has a blank or a character outside of ASCII: write it as %XX")
	}
	return checkAttributes(name, pkcs11Attributes[scheme])
}

func unfitForURI(r rune) bool { return r <= ' ' || r >= 0x7f }

// pkcs11Attributes are those of RFC 7512 that name a key, its token and its
// module, and none that bears a secret. Of other schemes any name will do that
// does not sound like one.
var pkcs11Attributes = map[string][]string{
	"pkcs11": {"module-path", "token", "serial", "slot-id", "id", "object", "pin-source"},
}

// checkAttributes refuses a key URI that bears a secret, or might. It has the
// form of RFC 7512: name=value, between ';' and '?' and '&'. The error repeats
// no value.
func checkAttributes(name string, known []string) error {
	plain, err := url.PathUnescape(name)
	if err != nil {
		return errors.New("the key URI has a % that is not one of %XX")
	}
	if strings.Contains(strings.ToLower(plain), "pin-value") {
		return errSecret
	}
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune(";?&", r) }) {
		attribute, value, ok := strings.Cut(part, "=")
		switch {
		case !ok && known == nil:
			continue // a path, an ARN
		case !ok || !attributeText.MatchString(attribute):
			return errors.New("the key URI has a part that is not NAME=VALUE, with NAME in lower case")
		case bearsSecret(attribute):
			return errSecret
		case known != nil && !slices.Contains(known, attribute):
			return fmt.Errorf("the key URI has an attribute other than %s", strings.Join(known, ", "))
		case attribute == "pin-source" && !strings.HasPrefix(strings.TrimPrefix(value, "file:"), "/"):
			return errors.New("pin-source in the key URI: want file: and the absolute path of a file that holds the PIN")
		}
	}
	return nil
}

var errSecret = errors.New("a PIN or password in a key URI stands in the settings and, while a helper runs, " +
	"in the list of processes that everybody can read: write the PIN to a file of mode 0600 and name that, pin-source=file:/PATH")

// bearsSecret tells attributes by their names: pin-value, client-secret. One
// that only says where the secret lies ends in -source or -file.
func bearsSecret(attribute string) bool {
	words := strings.Split(attribute, "-")
	if last := words[len(words)-1]; last == "source" || last == "file" {
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"pin", "puk", "secret", "password", "passphrase", "pwd"}, w)
	}) || attribute == "management-key" || attribute == "access-key"
}
