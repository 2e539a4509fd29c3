package registrytest

import (
	"fmt"
	"os/exec"
	"strings"
)

// fillScript makes %d active boards with a password and a serial each, without
// audit rows: what it makes is for measurements, and never was any site's.
const fillScript = `
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;
ATTACH '%s' AS mirror;
BEGIN;
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1)
INSERT INTO device (mac, name, hardware, channel, vlan, eap, state, pin, loader_level, loader_key, loader_version,
	session, enrolled, changed, reason)
SELECT printf('240a%%08x', i), 'board ' || i, 'esp32', 'stable', 0, 'tls,peap,ttls', 'active', '', 0, '', '',
	'', '2026-01-01T00:00:00.000000000Z', '2026-01-01T00:00:00.000000000Z', '' FROM n;
INSERT INTO credential (serial, mac, certificate, nt_hash, issued)
SELECT '40' || lower(hex(randomblob(15))), mac, lower(hex(randomblob(32))), lower(hex(randomblob(16))), '2026-01-01T00:00:00.000000000Z' FROM device;
INSERT INTO mirror.radcheck (id, username, attribute, op, value)
SELECT f.id, c.mac, f.attribute, ':=', CASE f.id WHEN 1 THEN 'tls,peap,ttls' WHEN 3 THEN c.serial ELSE '0x' || c.nt_hash END
FROM credential c, (SELECT 1 AS id, 'Tcpboot-Methods' AS attribute UNION ALL SELECT 3, 'Tcpboot-Serial' UNION ALL SELECT 4, 'Tcpboot-NT-Hash') AS f
ORDER BY c.mac, f.id;
COMMIT;`

// Fill puts n boards into an empty registry at path and its mirror, in a hurry.
// Nobody may have either open. Board i has the MAC that MAC(i) returns.
func Fill(path, mirror string, n int) error {
	cmd := exec.Command("sqlite3", "-bail", path)
	cmd.Stdin = strings.NewReader(fmt.Sprintf(fillScript, mirror, n))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sqlite3: %w: %s", err, out)
	}
	return nil
}
