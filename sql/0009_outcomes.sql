-- What outside services answered: to write-backs, polls and the delivery of alerts.
CREATE TABLE IF NOT EXISTS outcomes
(
    tenant          LowCardinality(String),
    finished_at     DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    kind            LowCardinality(String)              COMMENT 'write_back, poll or alert',
    service         LowCardinality(String),
    subject         String COMMENT 'Command id, cursor name, or dedup key of the alert' CODEC(ZSTD(1)),
    ticket_id       String COMMENT 'Empty if it concerns none' CODEC(ZSTD(1)),
    result          LowCardinality(String)              COMMENT 'applied, already_applied, skipped, rejected or failed',
    status          UInt16                              COMMENT 'Last HTTP status; 0 if none came',
    attempts        UInt32,
    detail          String CODEC(ZSTD(3)),
    received_at     Nullable(DateTime64(3, 'UTC'))      COMMENT 'When the event behind it was taken in, for latency',
    rate_limit      UInt32                              COMMENT 'Requests a minute the service allows; 0 if it did not say',
    rate_remaining  UInt32,
    kafka_topic     LowCardinality(String),
    kafka_partition Int32,
    kafka_offset    Int64 CODEC(Delta, ZSTD(1)),
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),

    INDEX by_ticket ticket_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_subject subject TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(finished_at)
ORDER BY (tenant, finished_at)
TTL toDateTime(finished_at) + INTERVAL 13 MONTH
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
