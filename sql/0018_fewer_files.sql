-- A part of this table in wide form is some 150 files, and a batch of 20,000 rows is 30 MB before compression, three times
-- what is kept in one file by default: making and removing the files cost the engine more than writing their contents.
-- What is merged from ten such batches is wide, as before. Merging ten parts at a time rather than five compresses each
-- row once less.
ALTER TABLE ticket_events
    MODIFY SETTING min_bytes_for_wide_part = 268435456, merge_selector_base = 10
