-- Who did what to which thing, when, with what outcome. Append-only; kept at least 13 months, and in whole months, so
-- that nothing is rewritten on the way.
CREATE TABLE IF NOT EXISTS audit
(
    tenant          LowCardinality(String)              COMMENT '* concerns the whole installation',
    at              DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    audit_id        String CODEC(ZSTD(1)),
    actor_kind      LowCardinality(String)              COMMENT 'system, user or api_key',
    actor           LowCardinality(String),
    action          LowCardinality(String)              COMMENT 'verb.noun',
    resource        String CODEC(ZSTD(1)),
    outcome         LowCardinality(String)              COMMENT 'ok, denied or error',
    detail          Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    source_ip       LowCardinality(String),
    user_agent      LowCardinality(String),
    request_id      String CODEC(ZSTD(1)),
    kafka_topic     LowCardinality(String),
    kafka_partition Int32,
    kafka_offset    Int64 CODEC(Delta, ZSTD(1)),
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),

    -- "everything that was done to this ticket", "everything of this request".
    INDEX by_resource resource TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_request request_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (tenant, at)
TTL toDateTime(at) + INTERVAL 13 MONTH
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
