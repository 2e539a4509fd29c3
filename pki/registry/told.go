package registry

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// told gives an error of a server, or of the way to it, its kind, and says it
// in one line: the driver tells of every attempt and its settings.
func told(err error) error {
	var said *pgconn.PgError
	var lost *pgconn.ConnectError
	switch {
	case errors.As(err, &said) && kindOf(said.Code) != nil:
		return fmt.Errorf("%w: %s", kindOf(said.Code), said.Message)
	case errors.As(err, &lost):
		return fmt.Errorf("%w: %s", ErrUnreachable, cause(lost))
	}
	return err
}

// kindOf is the kind of a SQLSTATE; nil is none that anybody could help.
func kindOf(code string) error {
	switch code {
	case "3D000":
		return ErrNoDatabase
	case "28000", "28P01":
		return ErrLogin
	case "42501", "42P01": // a table is not seen in a schema that may not be used
		return ErrDenied
	case "53300", "57P01", "57P03":
		return ErrUnreachable
	}
	return nil
}

// cause is what ended the last attempt to connect.
func cause(err error) string {
	var dial *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return name.Error()
	case errors.As(err, &dial):
		return dial.Error()
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
