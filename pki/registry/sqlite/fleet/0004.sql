-- When a credential was first and last seen to log in. See the first migration
-- for the form of times, and for the rule about editing this file.
--
-- The first login with a board's present credential ends the grace of the one
-- before. It is fresh until a change has ended it.
CREATE TABLE login (
	serial TEXT    NOT NULL PRIMARY KEY REFERENCES credential (serial),
	mac    TEXT    NOT NULL,
	first  TEXT    NOT NULL,
	last   TEXT    NOT NULL,
	fresh  INTEGER NOT NULL CHECK (fresh IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX login_fresh ON login (mac) WHERE fresh;
CREATE INDEX login_mac   ON login (mac, last);

-- The graces that are over because the board was seen with its present credential.
CREATE VIEW superseded AS
SELECT o.mac, o.serial, o.until, o.reason, o.issuer, l.first AS seen
FROM login l
JOIN credential c ON c.serial = l.serial AND c.ended IS NULL AND c.until IS NULL
JOIN credential o ON o.mac = l.mac AND o.ended IS NULL AND o.until IS NOT NULL
WHERE l.fresh;
