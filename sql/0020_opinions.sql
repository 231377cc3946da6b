-- One row for each record of the topic `opinions`: what came of a request for a second opinion, and what it cost.
CREATE TABLE IF NOT EXISTS opinions
(
    tenant                LowCardinality(String),
    platform              LowCardinality(String),
    ticket_id             String CODEC(ZSTD(1)),
    event_id              String                 COMMENT 'The event whose text is judged' CODEC(ZSTD(1)),
    version               UInt64 CODEC(Delta, ZSTD(1)),
    text_hash             UInt64                 COMMENT 'xxh3(concat(subject, char(0), body)) of the redacted text' CODEC(ZSTD(1)),
    opinion_id            String CODEC(ZSTD(1)),
    request_id            String CODEC(ZSTD(1)),
    asked_at              DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    answered_at           DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    result                LowCardinality(String) COMMENT 'answered, skipped or failed; the local judgement stands unless answered',
    reason                LowCardinality(String) COMMENT 'Why it was skipped or failed',
    provider              LowCardinality(String),
    model                 LowCardinality(String),
    prompt                LowCardinality(String) COMMENT 'Version of the prompt',
    cached                Bool                   COMMENT 'An earlier answer to the same question',
    attempts              UInt32 CODEC(T64, ZSTD(1)),
    latency_ms            UInt64 CODEC(T64, ZSTD(1)),
    tokens_in             UInt64 CODEC(T64, ZSTD(1)),
    tokens_out            UInt64 CODEC(T64, ZSTD(1)),
    cost_microusd         UInt64                 COMMENT 'By the price table of that day' CODEC(T64, ZSTD(1)),
    price_as_of           LowCardinality(String) COMMENT 'Date of that price',
    root_cause            LowCardinality(String) COMMENT 'Empty unless answered, as the next ones',
    root_cause_confidence Float32                COMMENT 'In the model\'s own words, not calibrated',
    urgency               LowCardinality(String),
    urgency_confidence    Float32,
    sentiment             LowCardinality(String),
    sentiment_confidence  Float32,
    sentiment_score       Float32,
    industry              LowCardinality(String),
    kafka_topic           LowCardinality(String),
    kafka_partition       Int32,
    kafka_offset          Int64 CODEC(Delta, ZSTD(1)),
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),

    INDEX by_ticket ticket_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(answered_at)
-- What did a tenant pay in a time range, and to whom?
ORDER BY (tenant, answered_at, ticket_id)
TTL toDateTime(answered_at) + INTERVAL 25 MONTH
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
