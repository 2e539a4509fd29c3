-- What a restore from a backup leaves behind. See package registry, Restore.

-- Serials that a CRL calls dead and that this registry never gave: credentials
-- that were issued after the backup. They stay on the CRL.
CREATE TABLE stray (
	serial text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(serial) = 32),
	ended  text COLLATE "C" NOT NULL,
	reason text COLLATE "C" NOT NULL,
	issuer text COLLATE "C" NOT NULL CHECK (length(issuer) IN (0, 64)), -- as in credential
	final  boolean          NOT NULL -- its board was revoked
);

CREATE TRIGGER stray_final BEFORE UPDATE ON stray FOR EACH ROW
EXECUTE FUNCTION refuse('a credential that ended stays as it is');

CREATE TRIGGER stray_stays BEFORE DELETE OR TRUNCATE ON stray
EXECUTE FUNCTION refuse('a credential is ended, never deleted');

-- The rows that tell of the site as a whole, which are few.
CREATE INDEX audit_site ON audit (action, sequence) WHERE action IN ('site.backup', 'site.restore');
