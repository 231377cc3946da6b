-- The latest review of each ticket by a human, beside what the models had said of the same text: versioned upserts.
CREATE TABLE IF NOT EXISTS reviews
(
    tenant                LowCardinality(String) COMMENT 'The tenant that owns the ticket',
    platform              LowCardinality(String) COMMENT 'The helpdesk the ticket lives in',
    ticket_id             String                 COMMENT 'Its id there' CODEC(ZSTD(1)),
    event_id              String                 COMMENT 'The event whose analysis was reviewed' CODEC(ZSTD(1)),
    version               UInt64                 COMMENT 'The ticket\'s version at that event' CODEC(Delta, ZSTD(1)),
    root_cause            LowCardinality(String) COMMENT 'As the reviewer says, empty if not judged; it holds for the ticket, whatever is written later',
    urgency               LowCardinality(String) COMMENT 'Likewise; it holds for the reviewed text',
    sentiment             LowCardinality(String) COMMENT 'Likewise; it holds for the reviewed text',
    reviewed_by           String                 COMMENT 'Id of the user or API key, as in audit_trail' CODEC(ZSTD(1)),
    reviewed_at           DateTime64(3, 'UTC')   COMMENT 'Of two reviews of a ticket the later holds' CODEC(Delta, ZSTD(1)),
    result                LowCardinality(String) COMMENT 'applied; text_changed: only the root cause holds; unknown_ticket: windows are not corrected',
    text_hash             UInt64                 COMMENT 'xxh3(concat(subject, char(0), body)) of the reviewed text; 0 unless applied' CODEC(ZSTD(1)),
    created_at            Nullable(DateTime64(3, 'UTC')) COMMENT 'When the ticket was created: quality is counted on that day',
    language              LowCardinality(String) COMMENT 'Of the reviewed text',
    tiers                 Array(LowCardinality(String)) COMMENT 'Who had judged, local or llm: one entry for each model, as in the next arrays',
    models                Array(LowCardinality(String)) COMMENT 'Name and version of the model',
    root_causes           Array(LowCardinality(String)) COMMENT 'What the model had said',
    root_cause_confidences Array(Float32)        COMMENT 'How sure it was',
    urgencies             Array(LowCardinality(String)) COMMENT 'What the model had said',
    urgency_confidences   Array(Float32)         COMMENT 'How sure it was',
    sentiments            Array(LowCardinality(String)) COMMENT 'What the model had said',
    sentiment_confidences Array(Float32)         COMMENT 'How sure it was',
    applied_at            UInt64                 COMMENT 'The highest holds' CODEC(Delta, ZSTD(1)),
    kafka_topic           LowCardinality(String) COMMENT 'Where the record lies in Kafka',
    kafka_partition       Int32                  COMMENT 'Its partition',
    kafka_offset          Int64                  COMMENT 'Its position there' CODEC(Delta, ZSTD(1)),
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was inserted' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(applied_at)
-- Not partitioned: replacing works within a partition only, and every column but the key can change.
ORDER BY (tenant, platform, ticket_id)
TTL toDateTime(reviewed_at) + INTERVAL 25 MONTH
SETTINGS
    non_replicated_deduplication_window = 10000
