-- What each board last said of a release, by the digest of its manifest, and when
-- it failed since it last confirmed it: times with spaces between, newest last. See
-- the registry's first migration for the form of times, and for the rule about
-- editing this file.
CREATE TABLE report (
	mac      text COLLATE "C" NOT NULL CHECK (length(mac) = 12),
	manifest text COLLATE "C" NOT NULL CHECK (length(manifest) = 64),
	outcome  text COLLATE "C" NOT NULL,
	cause    text COLLATE "C" NOT NULL,
	time     text COLLATE "C" NOT NULL,
	failures text COLLATE "C" NOT NULL,
	PRIMARY KEY (mac, manifest)
);

-- Answers how many boards said what of a release, alone.
CREATE INDEX report_outcome ON report (manifest, outcome, time);

-- Which offers servers hold back, by what was reported of them.
CREATE TABLE stop (
	manifest text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(manifest) = 64),
	time     text COLLATE "C" NOT NULL,
	reason   text COLLATE "C" NOT NULL
);
