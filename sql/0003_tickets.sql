-- The latest state of each ticket. Filled from ticket_events by the view of the next migration.
--
-- Which state is the latest follows from the data, not from the order of arrival: the highest version, and of one
-- version the highest tier (a human's word over a language model's over the local model's).
CREATE TABLE IF NOT EXISTS tickets
(
    tenant                LowCardinality(String),
    platform              LowCardinality(String),
    ticket_id             String CODEC(ZSTD(1)),
    state_rank            UInt64 COMMENT 'version × 4 + tier: the highest holds' CODEC(Delta, ZSTD(1)),
    version               UInt64 CODEC(Delta, ZSTD(1)),
    last_event_id         String CODEC(ZSTD(1)),
    created_at            DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    occurred_at           DateTime64(3, 'UTC') COMMENT 'When it last changed' CODEC(Delta, ZSTD(1)),
    status                LowCardinality(String),
    priority              LowCardinality(String),
    ticket_type           LowCardinality(String),
    channel               LowCardinality(String),
    requester_ref         String CODEC(ZSTD(1)),
    assignee_ref          String CODEC(ZSTD(1)),
    group_ref             LowCardinality(String),
    organization_ref      String CODEC(ZSTD(1)),
    tags                  Array(LowCardinality(String)),
    subject               String CODEC(ZSTD(3)),
    summary               String CODEC(ZSTD(3)),
    redactions            Map(LowCardinality(String), UInt32),
    root_cause            LowCardinality(String),
    root_cause_confidence Float32,
    urgency               LowCardinality(String),
    urgency_confidence    Float32,
    sentiment             LowCardinality(String),
    sentiment_confidence  Float32,
    sentiment_score       Float32,
    industry              LowCardinality(String),
    language              LowCardinality(String),
    tier                  LowCardinality(String),
    model                 LowCardinality(String),

    -- "what came in, or changed, since": the sort key is by id.
    INDEX by_creation created_at TYPE minmax GRANULARITY 1,
    INDEX by_change occurred_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(state_rank)
-- Not partitioned: replacing works within a partition only, and every column but the key can change.
ORDER BY (tenant, platform, ticket_id)
TTL toDateTime(occurred_at) + INTERVAL 25 MONTH
SETTINGS
    -- Needed here too: a view's target that does not know the token would count a repeated insert again.
    non_replicated_deduplication_window = 10000
