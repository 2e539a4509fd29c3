package main

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"regexp"
	"strconv"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// A key is one version of a key in a transit engine.
type key struct {
	name, mount string
	version     int
	tokenFile   string // "" for VAULT_TOKEN
}

var (
	keyName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?$`)
	mounted = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,8}$`)
)

func open(text string) (helper.Key, error) {
	values, err := helper.Attributes("vault", text, "name", "mount", "version", "token-source")
	if err != nil {
		return nil, err
	}
	k := key{name: values["name"], mount: cmp.Or(values["mount"], "transit"), tokenFile: helper.LocalFile(values["token-source"])}
	k.version, err = strconv.Atoi(cmp.Or(values["version"], "1"))
	switch {
	case !keyName.MatchString(k.name):
		return nil, errors.New("key URI: name: want up to 64 letters, digits, '_', '.' and '-'")
	case !mounted.MatchString(k.mount):
		return nil, errors.New("key URI: mount: want the path of a transit engine")
	case err != nil || k.version < 1:
		return nil, errors.New("key URI: version: want a number, 1 or more")
	case k.tokenFile != "" && !helper.IsClean(k.tokenFile):
		return nil, errors.New("key URI: token-source: want file: and the absolute path of a file that holds the token")
	}
	return k, nil
}

// checkAddress refuses to show a token to the network.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("VAULT_ADDR: not a URL")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("VAULT_ADDR: want https, or a server on this machine")
	}
	return nil
}
