-- How an offer goes through its boards, as JSON; why it was published or held back;
-- and the offer that stays for the boards it has not reached, as JSON. All may be
-- empty. See the first migration for the rule about editing this
-- file.
ALTER TABLE offer ADD COLUMN plan     TEXT NOT NULL DEFAULT '';
ALTER TABLE offer ADD COLUMN reason   TEXT NOT NULL DEFAULT '';
ALTER TABLE offer ADD COLUMN previous TEXT NOT NULL DEFAULT '';
