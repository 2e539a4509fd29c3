-- How an offer goes through its boards, as JSON, and why it was published or held
-- back; both may be empty. See the first migration for the rule about editing this
-- file.
ALTER TABLE offer ADD COLUMN plan   TEXT NOT NULL DEFAULT '';
ALTER TABLE offer ADD COLUMN reason TEXT NOT NULL DEFAULT '';
