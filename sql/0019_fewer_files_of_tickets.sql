-- As the migration before, for the latest states, whose rows are small.
ALTER TABLE tickets
    MODIFY SETTING min_bytes_for_wide_part = 67108864, merge_selector_base = 10
