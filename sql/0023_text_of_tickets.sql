-- Which text a ticket's state has: a second opinion holds for the text that it is about. Tickets of before have none.
ALTER TABLE tickets
    ADD COLUMN IF NOT EXISTS text_hash UInt64 COMMENT 'xxh3(concat(subject, char(0), body)) of the redacted text' CODEC(ZSTD(1))
