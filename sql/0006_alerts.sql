-- Every transition of every alert: firing and resolved. An episode is one dedup_key; see v_alert_episodes.
CREATE TABLE IF NOT EXISTS alerts
(
    tenant          LowCardinality(String),
    rule            LowCardinality(String),
    alert_group     String COMMENT 'Value of the rule''s group-by label; empty if none' CODEC(ZSTD(1)),
    dedup_key       String CODEC(ZSTD(1)),
    state           LowCardinality(String)              COMMENT 'firing or resolved',
    severity        LowCardinality(String),
    value           Float64,
    threshold       Float64,
    summary         String CODEC(ZSTD(3)),
    channels        Array(LowCardinality(String)),
    started_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    changed_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    labels          Map(LowCardinality(String), String),
    kafka_topic     LowCardinality(String),
    kafka_partition Int32,
    kafka_offset    Int64 CODEC(Delta, ZSTD(1)),
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree
-- Few rows: a year to a partition.
PARTITION BY toYear(changed_at)
ORDER BY (tenant, rule, changed_at)
TTL toDateTime(changed_at) + INTERVAL 25 MONTH
SETTINGS
    non_replicated_deduplication_window = 10000
