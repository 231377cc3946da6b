-- The signed newest link of each chain of `audit_trail`, the last of each hour: with them and the public key anyone can tell
-- that nothing before them was changed. Kept longer than the rows, to say of those that are gone that they were there.
CREATE TABLE IF NOT EXISTS audit_heads
(
    tenant          LowCardinality(String),
    retention       LowCardinality(String)              COMMENT 'audit or processing',
    sequence        UInt64                              COMMENT 'Place of the link in its chain',
    chained_at      DateTime64(3, 'UTC')                COMMENT 'When the link was chained',
    hash            String COMMENT 'Hash of the link, in hexadecimal' CODEC(ZSTD(1)),
    key_id          LowCardinality(String)              COMMENT 'Which key has signed: an audit-key of the control topic',
    signature       String COMMENT 'Ed25519 over the columns before, in hexadecimal; see docs/audit.md' CODEC(ZSTD(1)),
    kafka_topic     LowCardinality(String),
    kafka_partition Int32,
    kafka_offset    Int64,
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYear(chained_at)
ORDER BY (tenant, retention, toStartOfHour(chained_at))
TTL toDateTime(chained_at) + INTERVAL 10 YEAR
SETTINGS
    non_replicated_deduplication_window = 10000
