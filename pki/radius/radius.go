// Package radius renders what admits boards to the network: a FreeRADIUS 3.2
// configuration, or one of hostapd, from the devices of the registry. The files are a rendering and
// nothing else. The same devices give the same bytes, and a board that the
// registry no longer admits is simply not in them: that is the revocation, from
// the next login on. No login depends on a CRL or on OCSP.
//
// Export writes a whole folder on which the server starts as it lies:
//
//	freeradius -d DIR -n radiusd -f
//
// The folder holds no path but ones relative to itself, so that it may be copied
// anywhere, be read-only, and be served by any user who can read it:
//
//	radiusd.conf    the server: log to standard output, modules
//	clients.conf    who may ask, with what secret                     (secret)
//	eap.conf        EAP-TLS, PEAP with MSCHAPv2, TTLS with PAP or MSCHAPv2
//	policy.conf     what must hold for a login
//	servers.conf    the outer server and those inside each method
//	dictionary      the attributes in which authorize is written
//	authorize       the boards                                        (secret)
//	radius.pem      the server's certificate and its issuing CA
//	radius.key      its private key, not encrypted                    (secret)
//	boards-ca.pem   the CAs whose board certificates are looked at
//
// A server that reads the boards from a database has sql.conf instead of
// authorize: the same facts under the same names, a row each, so that the
// policies are the same. Then nothing is rendered when a board changes, and a
// board that is revoked in the registry is refused at its next attempt. On
// PostgreSQL the server also tells the registry which credential let a board in, by
// the one function that its role may call; so a grace ends when the new one was seen.
//
// # The file authorize
//
// It has a line for each board that is Active and may log in, in the order of
// their MACs. The line states facts, and the policies draw the conclusions; on a
// server without these policies the lines admit nobody.
//
//	246f28aa1002 Tcpboot-Methods := 'tls,peap', Tcpboot-VLAN := '101', Tcpboot-Serial := '4f…', Tcpboot-NT-Hash := 0x88…
//
// Tcpboot-Methods are those of the board that the site offers too. Tcpboot-VLAN
// is absent when none is assigned. Tcpboot-Serial names the credential: it is the
// serial number of the one certificate that admits, where the methods hold tls.
// Tcpboot-NT-Hash is there when they hold peap or ttls. During the grace of a rotation follow
// Tcpboot-Old-Serial and Tcpboot-Old-NT-Hash, the credential before, and
// Tcpboot-Old-Until, the Unix second at which they cease to count; the server
// compares it with its clock at each login.
//
// The last line is tcpboot-state- and the SHA-256 of the lines before, in hex. It
// lets nobody in. A server that is asked by that name (Status-Server with it as
// User-Name) repeats it (Reply-Message) if it has read that very list: so [Reload]
// proves that a revocation is in force.
//
// A login is admitted when the User-Name inside the method, the Calling-Station-Id
// (in any usual spelling) and the key of the line are one MAC, when the line
// allows the method, and when the certificate (right CN, listed serial) or the
// password proves it. The Calling-Station-Id is what a station says of itself:
// comparing it stops a credential that was copied to another board by mistake.
//
// The line is looked up again before the accept, and must bear the credentials
// it bore: a station that has proved itself may hold its last message back until
// its board is revoked.
//
// # hostapd
//
// For a small site hostapd can be the RADIUS server: [Hostapd] writes its files
// from the same devices. It lacks the policies, so it keeps less of these
// promises; what is lost says [HostapdLimits], and so does the file itself.
// Instead of an allow-list of certificates there is a CRL of the dead ones, which
// must list each of them before anything is written.
//
// Names that people choose never get into these files. Names, secrets and keys
// that do are checked first, and nothing is written when one is refused.
package radius

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"text/template"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/templates"
)

// A Server is what the configuration says of the RADIUS server itself.
type Server struct {
	Name    string     // that its certificate proves and boards match: radius.<site>
	Address netip.Addr // to listen on
	Port    uint16     // usually 1812

	Chain    []byte // PEM: its certificate, then its issuing CA
	Key      []byte // PEM: its private key, not encrypted
	BoardsCA []byte // PEM: every CA that issued a certificate still in use; no root

	Clients []Client  // none: it starts, and answers nobody
	EAP     fleet.EAP // the methods that the site offers

	// Loader2017 admits boards with the unmodified loader of 2017. Its supplicant,
	// that of every ESP-IDF before 4.1, ends at TLS 1.0 with RSA keys: newer
	// versions hang on CONFIG_TLSV11 and CONFIG_TLSV12, which nothing in its build
	// defines, and its makers say the same (espressif/esp-idf#6823). For them the
	// server goes down to TLS 1.0, and its key must be RSA. Without Loader2017
	// TLS 1.2 is the least.
	Loader2017 bool

	// Database is where the server reads the boards itself, at each login:
	// "postgres://USER@HOST/NAME?…" with the registry, by a user of the group
	// tcpboot_radius, or "sqlite:PATH" with what the registry keeps for it, relative
	// to the folder. Empty: the boards are written into the file authorize.
	Database string
}

// A Client is a network of access points or switches that may ask the server.
type Client struct {
	Name   string
	Net    netip.Prefix
	Secret string // 8 to 128 letters, digits and !&()*+,-./:;<=>?@[]^_|~
}

// Export writes the files of a server that admits the devices which are Active
// and nobody else. devices must come in the order of their MACs; one by one, so
// that a million of them need no memory.
//
// create is called once for each file, with its name and whether it holds a
// secret. Export closes a file when it is complete. After an error the files do
// not belong together and the last one, incomplete, has not been closed: throw
// all of them away. For a server that reads a database, devices is not looked at,
// and may be nil.
func Export(s Server, devices iter.Seq2[fleet.Device, error], create func(name string, secret bool) (io.WriteCloser, error)) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := write(f.name, f.secret, create, f.writeTo); err != nil {
			return err
		}
	}
	if s.Database != "" {
		return nil
	}
	return write("authorize", true, create, func(w io.Writer) error {
		return withState(w, stateBoard, func(w io.Writer) error { return list(w, "authorize", devices, s.EAP) })
	})
}

// Authorize writes the file authorize alone, for people who run a FreeRADIUS
// already. Its opening comment says what else their server needs. What it writes
// is secret; after an error it is incomplete.
func Authorize(w io.Writer, devices iter.Seq2[fleet.Device, error]) error {
	return list(w, "fragment", devices, fleet.TLS|fleet.PEAP|fleet.TTLS)
}

// write creates one file, fills and closes it.
func write(name string, secret bool, create func(string, bool) (io.WriteCloser, error), fill func(io.Writer) error) error {
	w, err := create(name, secret)
	if err != nil {
		return err
	}
	if err := fill(w); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return w.Close()
}

// A file is one of the folder's small files.
type file struct {
	name   string
	secret bool
	data   []byte
}

func (f file) writeTo(w io.Writer) error {
	_, err := w.Write(f.data)
	return err
}

// files renders everything but the boards.
func (s Server) files() ([]file, error) {
	chain, key, err := s.identity()
	if err != nil {
		return nil, err
	}
	cas, err := s.issuers()
	if err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	source, err := s.source()
	if err != nil {
		return nil, err
	}
	files := []file{
		{name: "boards-ca.pem", data: cas},
		{name: "radius.pem", data: chain},
		{name: "radius.key", secret: true, data: key},
	}
	names := []string{"dictionary", "radiusd.conf", "clients.conf", "eap.conf", "policy.conf", "servers.conf"}
	if s.Database != "" {
		names = append(names, "sql.conf")
	}
	for _, name := range names {
		data, err := s.render(name, source)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, name == "clients.conf", data})
	}
	return files, nil
}

// render fills in one template.
func (s Server) render(name string, boards source) ([]byte, error) {
	t, err := template.ParseFS(templates.RADIUS, "radius/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Address": s.Address,
		"Port":    s.Port,
		"Clients": s.Clients,
		"SQL":     s.Database != "",
		"Tells":   boards.Driver == "postgresql",
		"Driver":  boards.Driver,
		"Server":  boards.Server,
		"File":    boards.File,
		"Old":     s.Loader2017,
		"TLS":     s.EAP.Has(fleet.TLS),
		"PEAP":    s.EAP.Has(fleet.PEAP),
		"TTLS":    s.EAP.Has(fleet.TTLS),
		"First":   first(s.EAP),
	})
	return b.Bytes(), err
}

// first is the method that a station is offered first: the certificate wherever
// the site uses certificates.
func first(e fleet.EAP) fleet.EAP {
	for _, m := range []fleet.EAP{fleet.TLS, fleet.PEAP} {
		if e.Has(m) {
			return m
		}
	}
	return fleet.TTLS
}
