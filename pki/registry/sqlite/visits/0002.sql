-- Boards that have proved themselves on version 2 of the boot protocol. They are
-- never forgotten: nobody else gets in here, so there are no more than boards.

CREATE TABLE latch (
	mac  TEXT NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	time TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What boards ask for over the air: a certificate for a new key. One of each board
-- at a time; the certificate admits nobody before the registry says so.
CREATE TABLE renewal (
	mac         TEXT NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	time        TEXT NOT NULL,
	key         TEXT NOT NULL, -- digest of the key to be certified
	proved      TEXT NOT NULL, -- digest of the certificate by which it asked
	request     BLOB NOT NULL, -- PKCS #10, DER
	certificate BLOB,          -- X.509, DER; NULL: not issued yet
	joined      TEXT           -- when a board first proved itself with it
) STRICT, WITHOUT ROWID;
