package radius

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/template"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/templates"
)

// A HostapdServer is a Server that hostapd plays, with what it needs beside.
//
// hostapd listens on every address, so Address must be 0.0.0.0, or :: when a
// client has an IPv6 network; and it does not start without a client.
type HostapdServer struct {
	Server

	// The rest is for EAP-TLS and ignored without it.
	BoardsRoot []byte                           // PEM: hostapd wants the whole chain
	CRLs       []byte                           // PEM: one or more of each boards CA
	Dead       iter.Seq2[pki.Revocation, error] // what the CRLs must list
}

// ErrGrace says why a rotation has no grace where hostapd is the RADIUS server:
// check it before rotating.
var ErrGrace = errors.New("hostapd knows one password for a board, and no time at which a credential ends: no grace")

// HostapdLimits says, a sentence or two each, what a site that offers the
// methods e gives up with hostapd: print it for whoever chooses hostapd.
func HostapdLimits(e fleet.EAP) (limits []string) {
	if e.Has(fleet.TLS) {
		limits = append(limits,
			"EAP-TLS: the certificate and the identity are not compared. Whoever holds the certificate and key of any board, and be it one that may not use EAP-TLS or is not active yet, logs in as any board that may, into that board's VLAN.",
			"EAP-TLS: what shuts a certificate out is the CRL alone. Each revocation and each rotation needs the key of the boards CA.")
	}
	if e.Has(fleet.TTLS) {
		limits = append(limits, "TTLS: with MSCHAPv2 inside and not with PAP, which an NT hash cannot check here.")
	}
	return append(limits,
		"The station's address is not compared: a credential copied to another board works there.",
		"An anonymous identity outside a tunnel is refused, and an accept does not say which board it is for.",
		"Every change needs a restart of hostapd, which ends the logins that are under way. A HUP would let them go on, and may crash it.",
		"A rotation has no grace.")
}

// Hostapd writes the files of a hostapd that is a RADIUS server, and admits the
// devices which are Active and nobody else, as far as HostapdLimits says:
//
//	hostapd.conf    the server
//	eap_user        the boards                                        (secret)
//	radius_clients  who may ask, with what secret                     (secret)
//	radius.pem      the server's certificate and its issuing CA
//	radius.key      its private key, not encrypted                    (secret)
//	boards-ca.pem   EAP-TLS: root and CAs of board certificates, CRLs
//
// The paths in hostapd.conf are relative to the folder, so that it may be copied
// anywhere; hostapd is started from within. A board in a grace is refused with
// ErrGrace, a dead serial that no CRL lists with an error that names it: then the
// server would go on admitting it.
//
// devices and create are as for Export, and so is what holds after an error.
func Hostapd(s HostapdServer, devices iter.Seq2[fleet.Device, error], create func(name string, secret bool) (io.WriteCloser, error)) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := write(f.name, f.secret, create, f.writeTo); err != nil {
			return err
		}
	}
	return write("eap_user", true, create, func(w io.Writer) error {
		return withState(w, stateUser, func(w io.Writer) error { return listUsers(w, devices, s.EAP) })
	})
}

// files renders everything but the boards.
func (s HostapdServer) files() (files []file, err error) {
	if err := errors.Join(s.check(), s.checkHostapd()); err != nil {
		return nil, err
	}
	chain, key, err := s.identity()
	if err != nil {
		return nil, err
	}
	if s.EAP.Has(fleet.TLS) {
		anchors, err := s.anchors()
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "boards-ca.pem", data: anchors})
	}
	files = append(files, file{name: "radius.pem", data: chain}, file{"radius.key", true, key})
	for _, name := range []string{"radius_clients", "hostapd.conf"} {
		data, err := s.render(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, name == "radius_clients", data})
	}
	return files, nil
}

// checkHostapd refuses what a Server may say and hostapd cannot do.
func (s HostapdServer) checkHostapd() error {
	switch {
	case s.Database != "":
		return errors.New("RADIUS database: hostapd reads files alone")
	case !s.Address.IsUnspecified():
		return fmt.Errorf("RADIUS address %s: hostapd listens on every address of its machine: want :: or 0.0.0.0", s.Address)
	case len(s.Clients) == 0:
		return errors.New("RADIUS clients: none: hostapd does not start without one")
	case s.Address.Is4() && slices.ContainsFunc(s.Clients, func(c Client) bool { return c.Net.Addr().Is6() }):
		return errors.New("RADIUS clients: one has an IPv6 network, but the RADIUS address is 0.0.0.0, not ::, which is both")
	}
	return nil
}

// render fills in one template.
func (s HostapdServer) render(name string) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{"comment": comment}).ParseFS(templates.Hostapd, "hostapd/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Limits":  HostapdLimits(s.EAP),
		"Old":     s.Loader2017,
		"TLS":     s.EAP.Has(fleet.TLS),
		"Port":    s.Port,
		"IPv6":    s.Address.Is6(),
		"Clients": smallestFirst(s.Clients),
	})
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), err
}

// smallestFirst orders clients so that the first network that holds an address
// is the smallest, which is how hostapd takes them and FreeRADIUS means them.
func smallestFirst(clients []Client) []Client {
	hosts := func(c Client) int { return c.Net.Addr().BitLen() - c.Net.Bits() }
	return slices.SortedStableFunc(slices.Values(clients), func(a, b Client) int {
		return cmp.Compare(hosts(a), hosts(b))
	})
}

// comment breaks a sentence into the lines of a comment.
func comment(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > 76:
			b.WriteString("\n# ")
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
