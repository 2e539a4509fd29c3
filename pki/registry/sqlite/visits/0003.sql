-- What each board last said of a release, by the digest of its manifest, and when
-- it failed since it last confirmed it: times with spaces between, newest last. See
-- the registry's first migration for the form of times, and for the rule about
-- editing this file.
CREATE TABLE report (
	mac      TEXT NOT NULL CHECK (length(mac) = 12),
	manifest TEXT NOT NULL CHECK (length(manifest) = 64),
	outcome  TEXT NOT NULL,
	cause    TEXT NOT NULL,
	time     TEXT NOT NULL,
	failures TEXT NOT NULL,
	PRIMARY KEY (mac, manifest)
) STRICT, WITHOUT ROWID;

-- Answers how many boards said what of a release, alone.
CREATE INDEX report_outcome ON report (manifest, outcome, time);

-- Which offers servers hold back, by what was reported of them.
CREATE TABLE stop (
	manifest TEXT NOT NULL PRIMARY KEY CHECK (length(manifest) = 64),
	time     TEXT NOT NULL,
	reason   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
