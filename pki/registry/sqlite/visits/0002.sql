-- Boards that have proved themselves on version 2 of the boot protocol. They are
-- never forgotten: nobody else gets in here, so there are no more than boards.

CREATE TABLE latch (
	mac  TEXT NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
	time TEXT NOT NULL
) STRICT, WITHOUT ROWID;
