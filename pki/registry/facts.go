package registry

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A fact is one attribute of a board as a RADIUS server reads it. The views
// radcheck and radreply of the registry on PostgreSQL say the same in SQL.
type fact struct {
	id               int
	attribute, value string
}

// facts are the rows of radcheck. Package radius documents the attributes, and
// its policies draw the conclusions.
func facts(d *fleet.Device) []fact {
	if len(d.Admissions) == 0 {
		return nil
	}
	now, methods := d.Admissions[0], d.EAP
	if now.NTHash.IsZero() {
		methods &= fleet.TLS
	}
	if methods == 0 {
		return nil
	}
	list := []fact{{1, "Tcpboot-Methods", methods.String()}}
	if d.VLAN != 0 {
		list = append(list, fact{2, "Tcpboot-VLAN", vlanText(d.VLAN)})
	}
	list = appendProofs(list, 3, "Tcpboot-", now, methods)
	if len(d.Admissions) == 2 {
		old := d.Admissions[1]
		list = appendProofs(list, 5, "Tcpboot-Old-", old, methods)
		list = append(list, fact{7, "Tcpboot-Old-Until", secondText(old.Until)})
	}
	return list
}

// appendProofs appends what names a, and the password where a method asks for one.
func appendProofs(list []fact, id int, prefix string, a fleet.Admission, methods fleet.EAP) []fact {
	list = append(list, fact{id, prefix + "Serial", a.Serial.String()})
	if methods.UsesPassword() && !a.NTHash.IsZero() {
		list = append(list, fact{id + 1, prefix + "NT-Hash", "0x" + strings.ToLower(a.NTHash.Hex())})
	}
	return list
}

// replies are the rows of radreply.
func replies(d *fleet.Device) []fact {
	if d.VLAN == 0 || len(d.Admissions) == 0 {
		return nil
	}
	return []fact{{1, "Tunnel-Type", "VLAN"}, {2, "Tunnel-Medium-Type", "IEEE-802"}, {3, "Tunnel-Private-Group-Id", vlanText(d.VLAN)}}
}

func vlanText(v fleet.VLAN) string { return strconv.Itoa(int(v)) }

// secondText is t as FreeRADIUS compares it, in an unsigned number of 32 bits.
func secondText(t time.Time) string {
	return fmt.Sprint(min(max(t.Unix(), 0), math.MaxUint32))
}
