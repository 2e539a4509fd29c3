package radius

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A source is where a server that reads the boards from SQL finds them.
type source struct {
	Driver string // "postgresql" or "sqlite"
	Server string // what libpq calls a connection string
	File   string
}

// source reads s.Database; the zero source is the file authorize. Its errors keep
// the URL to themselves: it may hold a password, by mistake.
func (s Server) source() (source, error) {
	scheme, rest, _ := strings.Cut(s.Database, ":")
	switch {
	case s.Database == "":
		return source{}, nil
	case scheme == "sqlite":
		return sqliteSource(rest)
	case scheme == "postgres" || scheme == "postgresql":
		return postgresSource(s.Database)
	}
	return source{}, errors.New("RADIUS database: want sqlite:PATH or postgres://USER@HOST/NAME")
}

func sqliteSource(path string) (source, error) {
	if path == "" || !harmless(path) {
		return source{}, fmt.Errorf("RADIUS database: path %q: want letters, digits, blanks and %s only", path, pathPunctuation)
	}
	if !strings.HasPrefix(path, "/") {
		path = "${confdir}/" + path
	}
	return source{Driver: "sqlite", File: path}, nil
}

// pathPunctuation needs no quoting in a FreeRADIUS string, nor between the quotes
// of a connection string.
const pathPunctuation = "+,-./:@_~"

const harmlessLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 " + pathPunctuation

func harmless(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(harmlessLetters, r) })
}

// keywords are those of a URL's query that go into the connection string.
var keywords = []string{"connect_timeout", "host", "passfile", "port", "sslcert", "sslcrl", "sslkey", "sslmode", "sslrootcert", "target_session_attrs", "user"}

// postgresSource makes a connection string of a URL.
func postgresSource(text string) (source, error) {
	u, err := url.Parse(text)
	if err != nil {
		return source{}, errors.New("RADIUS database: not a URL: want postgres://USER@HOST/NAME")
	}
	query := u.Query()
	if _, password := u.User.Password(); password || query.Has("password") || query.Has("sslpassword") {
		return source{}, errors.New("RADIUS database: a password does not belong into a URL: passfile=PATH names a file for it")
	}
	for keyword := range query {
		if !slices.Contains(keywords, keyword) {
			return source{}, fmt.Errorf("RADIUS database: unknown parameter %q: want one of %s", keyword, strings.Join(keywords, ", "))
		}
	}
	for keyword, value := range map[string]string{
		"host": u.Hostname(), "port": u.Port(), "user": u.User.Username(), "dbname": strings.TrimPrefix(u.Path, "/"),
	} {
		if value != "" {
			query.Set(keyword, value)
		}
	}
	return connection(query)
}

// connection writes the connection string, after a look at what it says.
func connection(query url.Values) (source, error) {
	if query.Get("user") == "" || query.Get("dbname") == "" {
		return source{}, errors.New("RADIUS database: want postgres://USER@HOST/NAME, with a user of the group tcpboot_radius")
	}
	if host := query.Get("host"); !query.Has("sslmode") && !local(host) {
		return source{}, fmt.Errorf("RADIUS database: %s need not prove that it is: say sslmode=verify-full in the URL, with sslrootcert=FILE", host)
	}
	if !query.Has("connect_timeout") {
		query.Set("connect_timeout", "5")
	}
	var words []string
	for keyword, values := range query {
		if !harmless(values[0]) {
			return source{}, fmt.Errorf("RADIUS database: %s: want letters, digits, blanks and %s only", keyword, pathPunctuation)
		}
		words = append(words, keyword+"='"+values[0]+"'")
	}
	slices.Sort(words)
	return source{Driver: "postgresql", Server: strings.Join(words, " ")}, nil
}

// local reports whether a connection to host stays on this machine.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || host == "localhost" || strings.HasPrefix(host, "/") || err == nil && ip.IsLoopback()
}
