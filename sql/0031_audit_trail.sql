-- Who did what to which thing. Append-only, each row in its place in the chain of its tenant and retention:
-- `deskstream audit verify` tells if anything was changed, cut out or put in. Not by TTL: connect drops a partition when
-- it is older than its retention and lies in the archive (`[audit]` in the configuration). It takes the place of `audit`,
-- which nobody writes any more: what is still in Kafka is chained and comes again, the rest goes by its TTL.
CREATE TABLE IF NOT EXISTS audit_trail
(
    tenant          LowCardinality(String)              COMMENT '* concerns the whole installation',
    retention       LowCardinality(String)              COMMENT 'audit or processing: how long it is kept, and which chain it is in',
    sequence        UInt64 COMMENT 'Place in the chain of tenant and retention, from 1, without gaps' CODEC(DoubleDelta, ZSTD(1)),
    chained_at      DateTime64(3, 'UTC') COMMENT 'When it was given its place; never decreases within a chain' CODEC(DoubleDelta, ZSTD(1)),
    hash            String COMMENT 'SHA-256 in hexadecimal, over the hash before and everything of this row' CODEC(ZSTD(1)),
    at              DateTime64(3, 'UTC') COMMENT 'When it was done' CODEC(DoubleDelta, ZSTD(1)),
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
PARTITION BY (retention, toYYYYMM(chained_at))
ORDER BY (tenant, at)
SETTINGS
    non_replicated_deduplication_window = 10000
