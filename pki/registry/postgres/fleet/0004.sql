-- When a credential was first and last seen to log in, as the RADIUS server tells.
-- See the first migration for the form of times, and for the rule about editing
-- this file.
--
-- The first login with a board's present credential ends the grace of the one
-- before: at once in the view radcheck, and in the registry with its next change.
-- It is fresh until then.
CREATE TABLE login (
	serial text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES credential (serial),
	mac    text COLLATE "C" NOT NULL,
	first  text COLLATE "C" NOT NULL,
	last   text COLLATE "C" NOT NULL,
	fresh  boolean          NOT NULL
);

CREATE INDEX login_fresh ON login (mac) WHERE fresh;
CREATE INDEX login_mac   ON login (mac, last);

-- The graces that are over because the board was seen with its present credential.
CREATE VIEW superseded AS
SELECT o.mac, o.serial, o.until, o.reason, o.issuer, l.first AS seen
FROM login l
JOIN credential c ON c.serial = l.serial AND c.ended IS NULL AND c.until IS NULL
JOIN credential o ON o.mac = l.mac AND o.ended IS NULL AND o.until IS NOT NULL
WHERE l.fresh;

-- What the RADIUS server may write, and all of it: that a live credential of a
-- board has just logged in. The time is the database's own. Within an hour of the
-- last time nothing is written, so that a login costs no wait for the disk.
CREATE FUNCTION seen(board text, proof text) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = tcpboot, pg_temp AS
$$
	WITH clock (now, hour_ago) AS (
		SELECT to_char(t, 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"'), to_char(t - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"')
		FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC') AS utc (t)
	)
	INSERT INTO login (serial, mac, first, last, fresh)
	SELECT c.serial, c.mac, clock.now, clock.now,
		c.until IS NULL AND EXISTS (SELECT FROM credential o WHERE o.mac = c.mac AND o.ended IS NULL AND o.until IS NOT NULL)
	FROM clock, credential c JOIN device d ON d.mac = c.mac AND d.state = 'active'
	WHERE c.mac = board AND c.serial = proof AND c.ended IS NULL AND (c.until IS NULL OR c.until > clock.now)
		AND NOT EXISTS (SELECT FROM login l WHERE l.serial = c.serial AND l.last > clock.hour_ago)
	ON CONFLICT (serial) DO UPDATE SET last = EXCLUDED.last;
	SELECT 1
$$;

REVOKE ALL ON FUNCTION seen(text, text) FROM PUBLIC;

-- As before, but for two things: the serial is there whatever the methods, because
-- it names the credential; and the one before is gone once the present one was seen.
CREATE OR REPLACE VIEW radcheck WITH (security_barrier) AS
SELECT fact.id, board.mac AS username, fact.attribute, ':='::text AS op, fact.value
FROM (
	SELECT d.mac, d.vlan, c.serial, c.nt_hash, o.serial AS old_serial, o.nt_hash AS old_nt_hash, o.until AS old_until,
		CASE WHEN c.nt_hash IS NOT NULL THEN d.eap WHEN d.eap LIKE 'tls%' THEN 'tls' END AS methods
	FROM device d
	JOIN credential c ON c.mac = d.mac AND c.ended IS NULL AND c.until IS NULL
	LEFT JOIN credential o ON o.mac = d.mac AND o.ended IS NULL AND o.until IS NOT NULL
		AND NOT EXISTS (SELECT FROM login l WHERE l.serial = c.serial)
	WHERE d.state = 'active'
) AS board
CROSS JOIN LATERAL (VALUES
	(1, 'Tcpboot-Methods',     methods),
	(2, 'Tcpboot-VLAN',        nullif(vlan, 0)::text),
	(3, 'Tcpboot-Serial',      serial),
	(4, 'Tcpboot-NT-Hash',     CASE WHEN methods <> 'tls' THEN '0x' || lower(nt_hash) END),
	(5, 'Tcpboot-Old-Serial',  old_serial),
	(6, 'Tcpboot-Old-NT-Hash', CASE WHEN methods <> 'tls' THEN '0x' || lower(old_nt_hash) END),
	(7, 'Tcpboot-Old-Until',   CASE WHEN old_until IS NOT NULL
		THEN least(4294967295, extract(epoch FROM (substr(old_until, 1, 19) || 'Z')::timestamptz)::bigint)::text END)
) AS fact (id, attribute, value)
WHERE board.methods IS NOT NULL AND fact.value IS NOT NULL;
