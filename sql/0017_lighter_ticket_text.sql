-- As the migration before, for the latest states.
ALTER TABLE tickets
    MODIFY COLUMN subject CODEC(ZSTD(1)),
    MODIFY COLUMN summary CODEC(ZSTD(1))
