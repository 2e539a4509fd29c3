package radius

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/templates"
)

// listUsers writes the opening comment and the boards that may log in by one of
// the methods offered, as hostapd's eap_user.
func listUsers(w io.Writer, devices iter.Seq2[fleet.Device, error], offered fleet.EAP) error {
	head, err := templates.Hostapd.ReadFile("hostapd/eap_user")
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.Write(head) // an error stays in out until Flush
	for d, err := range inOrder(devices) {
		if err != nil {
			return err
		}
		lines, err := appendUser(out.AvailableBuffer(), &d, offered)
		if err != nil {
			return fmt.Errorf("board %s: %w", d.MAC, err)
		}
		if _, err := out.Write(lines); err != nil {
			return err
		}
	}
	return out.Flush()
}

// appendUser appends the lines of d to b, or nothing when d may not log in: one
// for the identity outside and, with a password, one for that inside a tunnel.
func appendUser(b []byte, d *fleet.Device, offered fleet.EAP) ([]byte, error) {
	if d.State != fleet.Active || len(d.Admissions) == 0 {
		return b, nil
	}
	if err := checkBoard(d); err != nil {
		return nil, err
	}
	if len(d.Admissions) > 1 {
		return nil, ErrGrace
	}
	hash := d.Admissions[0].NTHash
	methods := d.EAP & offered
	if hash.IsZero() {
		methods &= fleet.TLS
	}
	if methods == 0 {
		return b, nil
	}
	b = appendLine(b, d, outerMethods(methods), "")
	if methods.UsesPassword() {
		b = appendLine(b, d, innerMethods(methods), "\thash:"+hex.EncodeToString(hash[:])+"\t[2]")
	}
	return b, nil
}

// appendLine appends one line, and below it the VLAN that its accept assigns.
func appendLine(b []byte, d *fleet.Device, methods, secret string) []byte {
	b = append(b, '"')
	b = hex.AppendEncode(b, d.MAC[:])
	b = append(b, "\"\t"...)
	b = append(append(b, methods...), secret...)
	b = append(b, '\n')
	if d.VLAN == 0 {
		return b
	}
	// Tunnel-Type VLAN, Tunnel-Medium-Type IEEE-802, Tunnel-Private-Group-Id
	b = append(b, "radius_accept_attr=64:d:13\nradius_accept_attr=65:d:6\nradius_accept_attr=81:s:"...)
	return append(strconv.AppendUint(b, uint64(d.VLAN), 10), '\n')
}

// outerMethods are in the order in which a station is offered them.
func outerMethods(e fleet.EAP) string { return strings.ToUpper(e.String()) }

func innerMethods(e fleet.EAP) string {
	switch {
	case !e.Has(fleet.TTLS):
		return "MSCHAPV2"
	case !e.Has(fleet.PEAP):
		return "TTLS-MSCHAPV2"
	}
	return "MSCHAPV2,TTLS-MSCHAPV2"
}
