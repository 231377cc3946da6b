-- The latest second opinion on each text of a ticket. Filled from opinions by the view of the next migration.
CREATE TABLE IF NOT EXISTS judgements
(
    tenant                LowCardinality(String),
    platform              LowCardinality(String),
    ticket_id             String CODEC(ZSTD(1)),
    text_hash             UInt64 CODEC(ZSTD(1)),
    event_id              String CODEC(ZSTD(1)),
    answered_at           DateTime64(3, 'UTC') COMMENT 'The latest holds' CODEC(Delta, ZSTD(1)),
    root_cause            LowCardinality(String),
    root_cause_confidence Float32,
    urgency               LowCardinality(String),
    urgency_confidence    Float32,
    sentiment             LowCardinality(String),
    sentiment_confidence  Float32,
    sentiment_score       Float32,
    industry              LowCardinality(String),
    model                 LowCardinality(String)
)
ENGINE = ReplacingMergeTree(answered_at)
ORDER BY (tenant, platform, ticket_id, text_hash)
TTL toDateTime(answered_at) + INTERVAL 25 MONTH
SETTINGS
    non_replicated_deduplication_window = 10000
