-- Boards that have proved themselves on version 2 of the boot protocol. They are
-- never forgotten: nobody else gets in here, so there are no more than boards.

CREATE TABLE latch (
	mac  text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	time text COLLATE "C" NOT NULL
);

-- What boards ask for over the air: a certificate for a new key. One of each board
-- at a time; the certificate admits nobody before the registry says so.
CREATE TABLE renewal (
	mac         text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	time        text COLLATE "C" NOT NULL,
	key         text COLLATE "C" NOT NULL, -- digest of the key to be certified
	proved      text COLLATE "C" NOT NULL, -- digest of the certificate by which it asked
	request     bytea            NOT NULL, -- PKCS #10, DER
	certificate bytea,                     -- X.509, DER; NULL: not issued yet
	joined      text COLLATE "C"           -- when a board first proved itself with it
);
