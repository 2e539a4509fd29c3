-- The registry on PostgreSQL, first version. A migration that was ever released
-- is never edited: the next change is the next file.
--
-- Times are RFC 3339 in UTC with nine digits of fraction, so that text order is
-- time order; timestamptz keeps six, and the audit trail hashes the text. MACs,
-- serials and digests are lower-case hex. Text sorts and folds by its bytes,
-- whatever the locale of the database.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;

CREATE TABLE device (
	mac            text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	name           text COLLATE "C" NOT NULL,
	hardware       text COLLATE "C" NOT NULL,
	channel        text COLLATE "C" NOT NULL,
	vlan           integer          NOT NULL,
	eap            text COLLATE "C" NOT NULL,
	state          text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'active', 'revoked')),
	pin            text COLLATE "C" NOT NULL,
	loader_level   integer          NOT NULL,
	loader_key     text COLLATE "C" NOT NULL,
	loader_version text COLLATE "C" NOT NULL,
	session        text COLLATE "C" NOT NULL, -- who added it last: only they may activate it
	enrolled       text COLLATE "C" NOT NULL,
	changed        text COLLATE "C" NOT NULL,
	revoked        text COLLATE "C" CHECK ((revoked IS NOT NULL) = (state = 'revoked')),
	reason         text COLLATE "C" NOT NULL  -- why it was revoked
);

CREATE UNIQUE INDEX device_name  ON device (name) WHERE name <> '' AND state <> 'revoked';
CREATE INDEX        device_state ON device (state, mac);
CREATE INDEX        device_group ON device (hardware, channel, mac);

CREATE TRIGGER device_forward BEFORE UPDATE ON device FOR EACH ROW
WHEN (NEW.mac <> OLD.mac
	OR OLD.state = 'revoked' AND NEW.state <> 'revoked'
	OR OLD.state = 'active' AND NEW.state = 'pending')
EXECUTE FUNCTION refuse('a device never moves back');

CREATE TRIGGER device_stays BEFORE DELETE OR TRUNCATE ON device
EXECUTE FUNCTION refuse('a device is revoked, never deleted');

-- Every credential ever issued; those that ended stay for the CRL, without
-- their NT hash.
CREATE TABLE credential (
	serial      text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(serial) = 32),
	mac         text COLLATE "C" NOT NULL REFERENCES device (mac),
	certificate text COLLATE "C" NOT NULL UNIQUE CHECK (length(certificate) = 64),
	nt_hash     text COLLATE "C", -- as good as the password
	issued      text COLLATE "C" NOT NULL,
	until       text COLLATE "C", -- end of its grace
	ended       text COLLATE "C", -- no longer admits, for ever
	reason      text COLLATE "C",
	CHECK (ended IS NULL OR nt_hash IS NULL),
	CHECK (ended IS NULL AND until IS NULL OR reason IS NOT NULL)
);

-- At most one live credential without an end per board.
CREATE UNIQUE INDEX credential_live  ON credential (mac, coalesce(until, '')) WHERE ended IS NULL;
CREATE INDEX        credential_grace ON credential (until)  WHERE ended IS NULL AND until IS NOT NULL;
CREATE INDEX        credential_dead  ON credential (serial) WHERE ended IS NOT NULL;

CREATE TRIGGER credential_final BEFORE UPDATE ON credential FOR EACH ROW
WHEN (OLD.ended IS NOT NULL OR NEW.serial <> OLD.serial OR NEW.mac <> OLD.mac OR NEW.certificate <> OLD.certificate)
EXECUTE FUNCTION refuse('a credential that ended stays as it is');

CREATE TRIGGER credential_stays BEFORE DELETE OR TRUNCATE ON credential
EXECUTE FUNCTION refuse('a credential is ended, never deleted');

-- What each channel offers to each hardware, and what it offered last.
CREATE TABLE offer (
	hardware  text COLLATE "C" NOT NULL,
	channel   text COLLATE "C" NOT NULL,
	version   text COLLATE "C" NOT NULL,
	manifest  text COLLATE "C" NOT NULL,
	sequence  bigint           NOT NULL,
	percent   integer          NOT NULL CHECK (percent BETWEEN 0 AND 100),
	paused    boolean          NOT NULL,
	published text COLLATE "C" NOT NULL,
	withdrawn text COLLATE "C",
	PRIMARY KEY (hardware, channel)
);

-- The numbers that releases were given, whether or not they came to be.
CREATE TABLE release_sequence (
	hardware text COLLATE "C" NOT NULL,
	channel  text COLLATE "C" NOT NULL,
	given    bigint           NOT NULL,
	PRIMARY KEY (hardware, channel)
);

CREATE TABLE release_counter (
	hardware text COLLATE "C" NOT NULL PRIMARY KEY,
	given    bigint           NOT NULL
);

CREATE TABLE crl (
	number      bigint           NOT NULL PRIMARY KEY,
	this_update text COLLATE "C" NOT NULL
);

-- The audit trail; package registry documents the hash.
CREATE TABLE audit (
	sequence bigint           NOT NULL PRIMARY KEY,
	time     text COLLATE "C" NOT NULL,
	who      text COLLATE "C" NOT NULL,
	action   text COLLATE "C" NOT NULL,
	subject  text COLLATE "C" NOT NULL,
	detail   text COLLATE "C" NOT NULL,
	prev     text COLLATE "C" NOT NULL,
	hash     text COLLATE "C" NOT NULL
);

CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
EXECUTE FUNCTION refuse('the audit trail only grows');

-- Nobody writes under another's name.
CREATE TRIGGER audit_who BEFORE INSERT ON audit FOR EACH ROW
WHEN (NEW.who <> session_user)
EXECUTE FUNCTION refuse('an audit row bears the name of the role that writes it');

-- The last audit row once more, so that a trail cut off at its end is noticed.
-- Whoever changes anything locks this row first: it is the write lock.
CREATE TABLE audit_head (
	id       integer          NOT NULL PRIMARY KEY CHECK (id = 1),
	sequence bigint           NOT NULL,
	time     text COLLATE "C" NOT NULL,
	hash     text COLLATE "C" NOT NULL
);

CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
EXECUTE FUNCTION refuse('the audit trail only grows');

INSERT INTO audit_head VALUES (1, 0, '', '0000000000000000000000000000000000000000000000000000000000000000');

-- What FreeRADIUS reads, in the shape of its own tables: the boards that are
-- Active, a fact a row. Package radius documents the attributes; the conclusions
-- are drawn by its policies, the end of a grace among them.
CREATE VIEW radcheck WITH (security_barrier) AS
SELECT fact.id, board.mac AS username, fact.attribute, ':='::text AS op, fact.value
FROM (
	SELECT d.mac, d.vlan, c.serial, c.nt_hash, o.serial AS old_serial, o.nt_hash AS old_nt_hash, o.until AS old_until,
		CASE WHEN c.nt_hash IS NOT NULL THEN d.eap WHEN d.eap LIKE 'tls%' THEN 'tls' END AS methods
	FROM device d
	JOIN credential c ON c.mac = d.mac AND c.ended IS NULL AND c.until IS NULL
	LEFT JOIN credential o ON o.mac = d.mac AND o.ended IS NULL AND o.until IS NOT NULL
	WHERE d.state = 'active'
) AS board
CROSS JOIN LATERAL (VALUES
	(1, 'Tcpboot-Methods',     methods),
	(2, 'Tcpboot-VLAN',        nullif(vlan, 0)::text),
	(3, 'Tcpboot-Serial',      CASE WHEN methods LIKE 'tls%' THEN serial END),
	(4, 'Tcpboot-NT-Hash',     CASE WHEN methods <> 'tls' THEN '0x' || lower(nt_hash) END),
	(5, 'Tcpboot-Old-Serial',  CASE WHEN methods LIKE 'tls%' THEN old_serial END),
	(6, 'Tcpboot-Old-NT-Hash', CASE WHEN methods <> 'tls' THEN '0x' || lower(old_nt_hash) END),
	(7, 'Tcpboot-Old-Until',   CASE WHEN old_until IS NOT NULL
		THEN least(4294967295, extract(epoch FROM (substr(old_until, 1, 19) || 'Z')::timestamptz)::bigint)::text END)
) AS fact (id, attribute, value)
WHERE board.methods IS NOT NULL AND fact.value IS NOT NULL;

-- What an accept says of a board's network, for servers whose own policies ask;
-- the exported configuration says it from Tcpboot-VLAN.
CREATE VIEW radreply WITH (security_barrier) AS
SELECT reply.id, d.mac AS username, reply.attribute, ':='::text AS op, reply.value
FROM device d
CROSS JOIN LATERAL (VALUES
	(1, 'Tunnel-Type',             'VLAN'),
	(2, 'Tunnel-Medium-Type',      'IEEE-802'),
	(3, 'Tunnel-Private-Group-Id', d.vlan::text)
) AS reply (id, attribute, value)
WHERE d.state = 'active' AND d.vlan <> 0;
