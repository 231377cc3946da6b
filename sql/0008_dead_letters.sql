-- Records that could not be processed: what, where, why, and what to do. The payload stays sealed in Kafka, from where it
-- is replayed: nobody needs it here, and what is not here cannot leak from here.
CREATE TABLE IF NOT EXISTS dead_letters
(
    tenant          LowCardinality(String),
    failed_at       DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    stage           LowCardinality(String)              COMMENT 'receive, import, decode, decrypt, redact, analyze or sink',
    reason          LowCardinality(String)              COMMENT 'Stable code in kebab-case',
    error           String CODEC(ZSTD(3)),
    fix             LowCardinality(String),
    source          String COMMENT 'topic/partition/offset, or file:line' CODEC(ZSTD(1)),
    event_id        String CODEC(ZSTD(1)),
    attempts        UInt32,
    payload_kept    Bool                                COMMENT 'Whether the topic holds the sealed payload',
    payload_bytes   UInt64,
    kafka_topic     LowCardinality(String),
    kafka_partition Int32,
    kafka_offset    Int64 CODEC(Delta, ZSTD(1)),
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),

    INDEX by_source source TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(failed_at)
ORDER BY (tenant, failed_at)
-- The payload is gone from Kafka after 30 days; the statistics of failures are of use for a year.
TTL toDateTime(failed_at) + INTERVAL 13 MONTH
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
