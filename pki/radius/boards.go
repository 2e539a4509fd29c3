package radius

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/templates"
)

// list writes the opening comment that head names and a line for each board
// that may log in by one of the methods offered.
func list(w io.Writer, head string, devices iter.Seq2[fleet.Device, error], offered fleet.EAP) error {
	text, err := templates.RADIUS.ReadFile("radius/" + head)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.Write(text) // an error stays in out until Flush
	for d, err := range inOrder(devices) {
		if err != nil {
			return err
		}
		line, err := appendBoard(out.AvailableBuffer(), &d, offered)
		if err != nil {
			return fmt.Errorf("board %s: %w", d.MAC, err)
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// inOrder yields devices for as long as each comes once, in the order of their
// MACs: the server would take the first of two lines, and the same boards have to
// give the same bytes.
func inOrder(devices iter.Seq2[fleet.Device, error]) iter.Seq2[fleet.Device, error] {
	return func(yield func(fleet.Device, error) bool) {
		var last fleet.MAC
		for d, err := range devices {
			if err == nil && bytes.Compare(last[:], d.MAC[:]) >= 0 {
				err = fmt.Errorf("board %s after %s: want each once, in the order of their MACs", d.MAC, last)
			}
			if !yield(d, err) || err != nil {
				return
			}
			last = d.MAC
		}
	}
}

// appendBoard appends the line of d to b, or nothing when d may not log in.
func appendBoard(b []byte, d *fleet.Device, offered fleet.EAP) ([]byte, error) {
	if d.State != fleet.Active || len(d.Admissions) == 0 {
		return b, nil
	}
	if err := checkBoard(d); err != nil {
		return nil, err
	}
	now := &d.Admissions[0]
	methods := d.EAP & offered
	if now.NTHash.IsZero() {
		methods &= fleet.TLS
	}
	if methods == 0 {
		return b, nil
	}
	b = hex.AppendEncode(b, d.MAC[:])
	b = append(b, " Tcpboot-Methods := '"...)
	b = append(b, methods.String()...)
	b = append(b, '\'')
	if d.VLAN != 0 {
		b = append(b, ", Tcpboot-VLAN := '"...)
		b = strconv.AppendUint(b, uint64(d.VLAN), 10)
		b = append(b, '\'')
	}
	b = appendAdmission(b, ", Tcpboot-", now, methods)
	if len(d.Admissions) == 2 {
		old := &d.Admissions[1]
		b = appendAdmission(b, ", Tcpboot-Old-", old, methods)
		b = append(b, ", Tcpboot-Old-Until := "...)
		b = strconv.AppendInt(b, second(old.Until), 10)
	}
	return append(b, '\n'), nil
}

// appendAdmission appends what names a, and the password where a method asks for
// one.
func appendAdmission(b []byte, prefix string, a *fleet.Admission, methods fleet.EAP) []byte {
	b = append(append(b, prefix...), "Serial := '"...)
	b = append(hex.AppendEncode(b, a.Serial[:]), '\'')
	if methods.UsesPassword() && !a.NTHash.IsZero() {
		b = append(append(b, prefix...), "NT-Hash := 0x"...)
		b = hex.AppendEncode(b, a.NTHash[:])
	}
	return b
}

// checkBoard refuses what no registry gives, but what the server would take
// without a word: it checks neither VLAN numbers nor whether a list goes on.
func checkBoard(d *fleet.Device) error {
	if d.VLAN > 4094 {
		return fmt.Errorf("VLAN %d: want 1 to 4094", d.VLAN)
	}
	if len(d.Admissions) > 2 {
		return fmt.Errorf("%d live credentials: want the newest and one before it", len(d.Admissions))
	}
	if !d.Admissions[0].Until.IsZero() {
		return errors.New("the newest credential has an end, as only the one before it may")
	}
	for i := range d.Admissions {
		if d.Admissions[i].Serial[0] == 0 {
			return errors.New("a certificate serial that begins with 00")
		}
	}
	return nil
}

// second is t as FreeRADIUS compares it, in an unsigned number of 32 bits.
func second(t time.Time) int64 {
	if t.IsZero() {
		return math.MaxUint32
	}
	return min(max(t.Unix(), 0), math.MaxUint32)
}
