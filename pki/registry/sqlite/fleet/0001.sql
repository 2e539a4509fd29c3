-- The registry, first version. A migration that was ever released is never
-- edited: the next change is the next file.
--
-- Times are RFC 3339 in UTC with nine digits of fraction, so that text order is
-- time order. MACs, serials and digests are lower-case hex in text columns: a
-- MAC such as 100e00000000 must never be taken for a number.

CREATE TABLE device (
	mac            TEXT    NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	name           TEXT    NOT NULL,
	hardware       TEXT    NOT NULL,
	channel        TEXT    NOT NULL,
	vlan           INTEGER NOT NULL,
	eap            TEXT    NOT NULL,
	state          TEXT    NOT NULL CHECK (state IN ('pending', 'active', 'revoked')),
	pin            TEXT    NOT NULL,
	loader_level   INTEGER NOT NULL,
	loader_key     TEXT    NOT NULL,
	loader_version TEXT    NOT NULL,
	session        TEXT    NOT NULL, -- who added it last: only they may activate it
	enrolled       TEXT    NOT NULL,
	changed        TEXT    NOT NULL,
	revoked        TEXT    CHECK ((revoked IS NOT NULL) = (state = 'revoked')),
	reason         TEXT    NOT NULL  -- why it was revoked
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX device_name  ON device (name) WHERE name <> '' AND state <> 'revoked';
CREATE INDEX        device_state ON device (state, mac);
CREATE INDEX        device_group ON device (hardware, channel, mac);

CREATE TRIGGER device_forward BEFORE UPDATE OF mac, state ON device
WHEN NEW.mac <> OLD.mac
	OR OLD.state = 'revoked' AND NEW.state <> 'revoked'
	OR OLD.state = 'active' AND NEW.state = 'pending'
BEGIN SELECT RAISE(ABORT, 'a device never moves back'); END;

CREATE TRIGGER device_stays BEFORE DELETE ON device
BEGIN SELECT RAISE(ABORT, 'a device is revoked, never deleted'); END;

-- Every credential ever issued; those that ended stay for the CRL, without
-- their NT hash.
CREATE TABLE credential (
	serial      TEXT NOT NULL PRIMARY KEY CHECK (length(serial) = 32),
	mac         TEXT NOT NULL REFERENCES device (mac),
	certificate TEXT NOT NULL UNIQUE CHECK (length(certificate) = 64),
	nt_hash     TEXT, -- as good as the password
	issued      TEXT NOT NULL,
	until       TEXT, -- end of its grace
	ended       TEXT, -- no longer admits, for ever
	reason      TEXT,
	CHECK (ended IS NULL OR nt_hash IS NULL),
	CHECK (ended IS NULL AND until IS NULL OR reason IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- At most one live credential without an end per board.
CREATE UNIQUE INDEX credential_live  ON credential (mac, coalesce(until, '')) WHERE ended IS NULL;
CREATE INDEX        credential_grace ON credential (until)  WHERE ended IS NULL AND until IS NOT NULL;
CREATE INDEX        credential_dead  ON credential (serial) WHERE ended IS NOT NULL;

CREATE TRIGGER credential_final BEFORE UPDATE ON credential
WHEN OLD.ended IS NOT NULL OR NEW.serial <> OLD.serial OR NEW.mac <> OLD.mac OR NEW.certificate <> OLD.certificate
BEGIN SELECT RAISE(ABORT, 'a credential that ended stays as it is'); END;

CREATE TRIGGER credential_stays BEFORE DELETE ON credential
BEGIN SELECT RAISE(ABORT, 'a credential is ended, never deleted'); END;

-- What each channel offers to each hardware, and what it offered last.
CREATE TABLE offer (
	hardware  TEXT    NOT NULL,
	channel   TEXT    NOT NULL,
	version   TEXT    NOT NULL,
	manifest  TEXT    NOT NULL,
	sequence  INTEGER NOT NULL,
	percent   INTEGER NOT NULL CHECK (percent BETWEEN 0 AND 100),
	paused    INTEGER NOT NULL CHECK (paused IN (0, 1)),
	published TEXT    NOT NULL,
	withdrawn TEXT,
	PRIMARY KEY (hardware, channel)
) STRICT;

-- The numbers that releases were given, whether or not they came to be.
CREATE TABLE release_sequence (
	hardware TEXT    NOT NULL,
	channel  TEXT    NOT NULL,
	given    INTEGER NOT NULL,
	PRIMARY KEY (hardware, channel)
) STRICT;

CREATE TABLE release_counter (
	hardware TEXT    NOT NULL PRIMARY KEY,
	given    INTEGER NOT NULL
) STRICT;

CREATE TABLE crl (
	number      INTEGER NOT NULL PRIMARY KEY,
	this_update TEXT    NOT NULL
) STRICT;

-- The audit trail; package registry documents the hash.
CREATE TABLE audit (
	sequence INTEGER NOT NULL PRIMARY KEY,
	time     TEXT    NOT NULL,
	who      TEXT    NOT NULL,
	action   TEXT    NOT NULL,
	subject  TEXT    NOT NULL,
	detail   TEXT    NOT NULL,
	prev     TEXT    NOT NULL,
	hash     TEXT    NOT NULL
) STRICT;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END;

CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END;

-- The last audit row once more, so that a trail cut off at its end is noticed.
CREATE TABLE audit_head (
	id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	sequence INTEGER NOT NULL,
	time     TEXT    NOT NULL,
	hash     TEXT    NOT NULL
) STRICT;

INSERT INTO audit_head VALUES (1, 0, '', '0000000000000000000000000000000000000000000000000000000000000000');
