package sitedoc

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
)

// check says why d is not a valid site document.
func (d *Doc) check() error {
	for _, part := range []func() error{
		d.checkHead, d.Roots.check, d.checkKeys, d.checkServers, d.checkIssuers, d.checkFloors,
	} {
		if err := part(); err != nil {
			return fmt.Errorf("site document: %v: %w", err, Invalid)
		}
	}
	return nil
}

func (d *Doc) checkHead() error {
	if d.Epoch == 0 {
		return fmt.Errorf("epoch 0: epochs count from 1")
	}
	return fleet.CheckName("site", d.Site)
}

func (r Roots) check() error {
	if err := count("roots", len(r.Keys), 1, MaxRoots); err != nil {
		return err
	}
	if r.Threshold < 1 || r.Threshold > len(r.Keys) {
		return fmt.Errorf("threshold %d: want 1 to %d, the number of roots", r.Threshold, len(r.Keys))
	}
	if twice(r.Keys) {
		return fmt.Errorf("roots: one of them stands there twice")
	}
	return points("root", r.Keys)
}

func (d *Doc) checkKeys() error {
	if err := count("release keys", len(d.Keys), 1, MaxKeys); err != nil {
		return err
	}
	var keys []cose.Key
	var works []string
	for _, k := range d.Keys {
		if err := k.check(d.Roots.Keys); err != nil {
			return fmt.Errorf("release key %v: %w", k.Key.ID(), err)
		}
		keys = append(keys, k.Key)
		works = append(works, string(k.Kind)+k.Key.String())
	}
	if twice(works) {
		return fmt.Errorf("release keys: one of them stands there twice for one kind")
	}
	return points("release key", keys)
}

func (k ReleaseKey) check(roots []cose.Key) error {
	if slices.Contains(roots, k.Key) {
		return fmt.Errorf("is a root: a root signs site documents only")
	}
	if _, ok := k.Kind.Number(); !ok {
		return fmt.Errorf("kind %.20q: want %s or %s", string(k.Kind), Firmware, Loader)
	}
	if err := count("hardware", len(k.Hardware), 0, MaxHardware); err != nil {
		return err
	}
	if twice(k.Hardware) {
		return fmt.Errorf("names a hardware twice")
	}
	for _, h := range k.Hardware {
		if err := fleet.CheckName("hardware", h); err != nil {
			return err
		}
	}
	return nil
}

func (d *Doc) checkServers() error {
	if err := count("endpoints", len(d.Endpoints), 1, MaxEndpoints); err != nil {
		return err
	}
	if twice(d.Endpoints) {
		return fmt.Errorf("endpoints: one of them stands there twice")
	}
	for _, e := range d.Endpoints {
		if err := checkEndpoint(e); err != nil {
			return err
		}
	}
	if err := checkHost("RADIUS name", d.Names.RADIUS); err != nil {
		return err
	}
	return checkHost("update name", d.Names.Update)
}

func checkEndpoint(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("endpoint %.80q: want host:port", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("endpoint %.80q: want a port from 1 to 65535", s)
	}
	if net.JoinHostPort(host, port) != s {
		return fmt.Errorf("endpoint %.80q: want host:port, or [address]:port for IPv6", s)
	}
	if ip := net.ParseIP(host); ip != nil {
		return nil
	}
	return checkHost("endpoint", host)
}

// checkHost refuses what would not do as a DNS name.
func checkHost(kind, s string) error {
	if s == "" || len(s) > maxHost {
		return fmt.Errorf("%s: %d bytes, want 1 to %d", kind, len(s), maxHost)
	}
	for label := range strings.SplitSeq(s, ".") {
		if err := fleet.CheckName(kind, label); err != nil || strings.HasSuffix(label, "-") {
			return fmt.Errorf("%s %.80q: want a DNS name", kind, s)
		}
	}
	return nil
}

func (d *Doc) checkIssuers() error {
	for _, list := range []struct {
		name    string
		digests []fleet.Digest
	}{{"EAP issuers", d.EAPIssuers}, {"TLS issuers", d.TLSIssuers}} {
		if err := count(list.name, len(list.digests), 1, MaxIssuers); err != nil {
			return err
		}
		if twice(list.digests) || slices.Contains(list.digests, fleet.Digest{}) {
			return fmt.Errorf("%s: one of them is empty or stands there twice", list.name)
		}
	}
	return nil
}

func (d *Doc) checkFloors() error {
	if err := count("floors", len(d.Floors), 0, MaxFloors); err != nil {
		return err
	}
	newest := uint32(0)
	for hardware, f := range d.Floors {
		if err := fleet.CheckName("hardware", hardware); err != nil {
			return err
		}
		newest = max(newest, f.Generation)
	}
	if newest != d.Generation {
		return fmt.Errorf("generation %d: the newest floor is in generation %d", d.Generation, newest)
	}
	return nil
}

func count(what string, n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%s: %d of them, want %d to %d", what, n, low, high)
	}
	return nil
}

func points(what string, keys []cose.Key) error {
	for _, k := range keys {
		if _, err := k.Public(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func twice[T comparable](list []T) bool {
	seen := map[T]bool{}
	for _, v := range list {
		seen[v] = true
	}
	return len(seen) < len(list)
}
