-- The last visit of each board. See the registry's first migration for the
-- form of times and MACs, and for the rule about editing this file.

CREATE TABLE visit (
	mac      TEXT    NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	time     TEXT    NOT NULL,
	remote   TEXT    NOT NULL,
	protocol TEXT    NOT NULL,
	version  TEXT    NOT NULL,
	sent     INTEGER NOT NULL,
	verdict  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- In the order in which visits are forgotten: empty claims first, then age.
CREATE INDEX visit_age ON visit ((protocol = 'v1' AND sent = 0) DESC, time);
