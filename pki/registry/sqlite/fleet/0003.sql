-- What a restore from a backup leaves behind. See package registry, Restore.

-- Serials that a CRL calls dead and that this registry never gave: credentials
-- that were issued after the backup. They stay on the CRL.
CREATE TABLE stray (
	serial TEXT    NOT NULL PRIMARY KEY CHECK (length(serial) = 32),
	ended  TEXT    NOT NULL,
	reason TEXT    NOT NULL,
	issuer TEXT    NOT NULL CHECK (length(issuer) IN (0, 64)), -- as in credential
	final  INTEGER NOT NULL CHECK (final IN (0, 1)) -- its board was revoked
) STRICT, WITHOUT ROWID;

CREATE TRIGGER stray_final BEFORE UPDATE ON stray
BEGIN SELECT RAISE(ABORT, 'a credential that ended stays as it is'); END;

CREATE TRIGGER stray_stays BEFORE DELETE ON stray
BEGIN SELECT RAISE(ABORT, 'a credential is ended, never deleted'); END;

-- The rows that tell of the site as a whole, which are few.
CREATE INDEX audit_site ON audit (action, sequence) WHERE action IN ('site.backup', 'site.restore');
