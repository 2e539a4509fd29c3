package remote

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"oras.land/oras-go/v2/registry"
)

// Scheme begins the name of a repository: oci://registry.example.net/firmware.
const Scheme = "oci://"

// A Reference names a repository and, where Name is not empty, a tag or a digest
// in it.
type Reference struct {
	Host string // with its port
	Path string
	Name string
}

// ParseReference reads oci://HOST/REPOSITORY, with :TAG or @DIGEST behind it or
// not.
func ParseReference(s string) (Reference, error) {
	rest, ok := strings.CutPrefix(s, Scheme)
	if !ok {
		return Reference{}, fmt.Errorf("%.200q: want %sHOST/REPOSITORY[:TAG]", s, Scheme)
	}
	if host, _, _ := strings.Cut(rest, "/"); strings.Contains(host, "@") {
		return Reference{}, errors.New("user names and passwords do not belong into the name of a repository: they are taken from the Docker configuration")
	}
	r, err := registry.ParseReference(rest)
	if err != nil {
		return Reference{}, fmt.Errorf("%.200q: %w", s, err)
	}
	return Reference{r.Registry, r.Repository, r.Reference}, nil
}

func (r Reference) String() string {
	s := Scheme + r.Host + "/" + r.Path
	switch {
	case r.Name == "":
		return s
	case r.IsDigest():
		return s + "@" + r.Name
	}
	return s + ":" + r.Name
}

// IsDigest reports whether Name is a digest.
func (r Reference) IsDigest() bool { return strings.Contains(r.Name, ":") }

// Loopback reports whether the registry is on this machine, where nobody listens
// on the way.
func (r Reference) Loopback() bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
