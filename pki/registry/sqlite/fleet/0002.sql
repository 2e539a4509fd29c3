-- Which CA a credential is by, so that a CA whose key was replaced is known until
-- the last of its certificates is dead: the SHA-256 of its public key, in hex.
-- '' is the site's first CA, before CAs were told apart.
ALTER TABLE credential ADD COLUMN issuer TEXT NOT NULL DEFAULT '' CHECK (length(issuer) IN (0, 64));

DROP TRIGGER credential_final;

CREATE TRIGGER credential_final BEFORE UPDATE ON credential
WHEN OLD.ended IS NOT NULL OR NEW.serial <> OLD.serial OR NEW.mac <> OLD.mac OR NEW.certificate <> OLD.certificate
	OR NEW.issuer <> OLD.issuer
BEGIN SELECT RAISE(ABORT, 'a credential that ended stays as it is'); END;

-- Answers how many live credentials a CA has. The MAC is in it so that a list of
-- boards, which is in their order, fills it from one end; the rest, so that it
-- answers alone.
CREATE INDEX credential_issuer ON credential (issuer, mac, until, ended) WHERE ended IS NULL;
