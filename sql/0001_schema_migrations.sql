-- Which migrations this database has had. Run before every migration, so it is idempotent like all of them.
-- ReplacingMergeTree: two processes that migrate at the same time may both record a version; it counts once.
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version    UInt32                 COMMENT 'Number in the file name',
    name       String                 COMMENT 'Rest of the file name',
    checksum   FixedString(64)        COMMENT 'SHA-256 of the file, in hexadecimal: an applied file never changes',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version
