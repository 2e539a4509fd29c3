-- The last visit of each board. See the registry's first migration for the
-- form of times and MACs, and for the rule about editing this file.

CREATE TABLE visit (
	mac      text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	time     text COLLATE "C" NOT NULL,
	remote   text COLLATE "C" NOT NULL,
	protocol text COLLATE "C" NOT NULL,
	version  text COLLATE "C" NOT NULL,
	sent     bigint           NOT NULL,
	verdict  text COLLATE "C" NOT NULL
);

-- In the order in which visits are forgotten: empty claims first, then age.
CREATE INDEX visit_age ON visit ((protocol = 'v1' AND sent = 0) DESC, time);
