-- One row for each record of the topic `enriched`: what happened to which ticket, redacted and analyzed.
--
-- Questions it is laid out for: a tenant's tickets over a time range, sliced by root cause, urgency, sentiment,
-- language; the history of one ticket; which personal data was found where; whether a record is missing or doubled.
CREATE TABLE IF NOT EXISTS ticket_events
(
    tenant                 LowCardinality(String),
    platform               LowCardinality(String),
    ticket_id              String CODEC(ZSTD(1)),
    event_id               String CODEC(ZSTD(1)),
    kind                   LowCardinality(String)               COMMENT 'created or updated',
    origin                 LowCardinality(String)               COMMENT 'webhook, poll, backfill or import',
    -- Times rise within a part nearly in step: the differences of differences are small.
    occurred_at            DateTime64(3, 'UTC') COMMENT 'Event time at the helpdesk' CODEC(DoubleDelta, ZSTD(1)),
    received_at            DateTime64(3, 'UTC') COMMENT 'When a connector took it in' CODEC(DoubleDelta, ZSTD(1)),
    created_at             DateTime64(3, 'UTC') COMMENT 'When the ticket was created' CODEC(Delta, ZSTD(1)),
    enriched_at            DateTime64(3, 'UTC') COMMENT 'When the pipeline finished it' CODEC(DoubleDelta, ZSTD(1)),
    version                UInt64 COMMENT 'Orders the states of one ticket' CODEC(Delta, ZSTD(1)),
    status                 LowCardinality(String),
    priority               LowCardinality(String)               COMMENT 'none if the helpdesk has none set',
    ticket_type            LowCardinality(String),
    channel                LowCardinality(String),
    requester_ref          String COMMENT 'Opaque id at the helpdesk; empty if there is none' CODEC(ZSTD(1)),
    assignee_ref           String CODEC(ZSTD(1)),
    group_ref              LowCardinality(String),
    organization_ref       String CODEC(ZSTD(1)),
    tags                   Array(LowCardinality(String)),
    -- Text is nine tenths of the bytes and seldom read: a stronger level pays here.
    subject                String COMMENT 'Redacted' CODEC(ZSTD(3)),
    body                   String COMMENT 'Redacted' CODEC(ZSTD(3)),
    summary                String COMMENT 'Redacted' CODEC(ZSTD(3)),
    `spans.field`          Array(LowCardinality(String))        COMMENT 'Where it was found: subject, body or tag',
    `spans.start`          Array(UInt32)                        COMMENT 'In the original text, which is not kept',
    `spans.end`            Array(UInt32),
    `spans.kind`           Array(LowCardinality(String))        COMMENT 'email, person, iban …',
    `spans.detector`       Array(LowCardinality(String)),
    `spans.score`          Array(Float32),
    redactions             Map(LowCardinality(String), UInt32)  COMMENT 'Number of spans by kind',
    redactor               LowCardinality(String),
    root_cause             LowCardinality(String),
    root_cause_confidence  Float32,
    root_cause_abstained   Bool                                 COMMENT 'The label is only a guess',
    urgency                LowCardinality(String),
    urgency_confidence     Float32,
    urgency_abstained      Bool,
    sentiment              LowCardinality(String),
    sentiment_confidence   Float32,
    sentiment_abstained    Bool,
    sentiment_score        Float32                              COMMENT 'p(positive) − p(negative)',
    industry               LowCardinality(String),
    industry_confidence    Float32,
    industry_abstained     Bool,
    language               LowCardinality(String),
    language_confidence    Float32,
    tier                   LowCardinality(String)               COMMENT 'Who judged: local, llm or human',
    model                  LowCardinality(String),
    analysis_us            UInt64 CODEC(T64, ZSTD(1)),
    tokens_in              UInt64 CODEC(T64, ZSTD(1)),
    tokens_out             UInt64 CODEC(T64, ZSTD(1)),
    cost_microusd          UInt64 CODEC(T64, ZSTD(1)),
    notes                  Array(LowCardinality(String)),
    source_partition       Int32                                COMMENT 'Partition of the topic `events`',
    source_offset          Int64 CODEC(Delta, ZSTD(1)),
    kafka_topic            LowCardinality(String)               COMMENT 'Where this row comes from',
    kafka_partition        Int32,
    kafka_offset           Int64 CODEC(Delta, ZSTD(1)),
    ingested_at            DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),

    -- A ticket's history is asked by its id, over all of time, which the sort key cannot serve.
    INDEX by_ticket ticket_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_event event_id TYPE bloom_filter(0.01) GRANULARITY 4,
    -- "every ticket that says refund", by hasToken(lower(subject), 'refund').
    INDEX by_word lower(subject) TYPE tokenbf_v1(8192, 3, 0) GRANULARITY 4,
    -- Offsets are dense in a part: a check or a repair of a range of offsets skips nearly everything.
    INDEX by_offset kafka_offset TYPE minmax GRANULARITY 1,
    INDEX by_source source_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
-- A month is what retention drops and what most reports span; days would make thousands of parts under backfill.
PARTITION BY toYYYYMM(occurred_at)
-- Every question names a tenant, nearly every one a time range.
ORDER BY (tenant, occurred_at, ticket_id)
-- Two years and a month: a year can be compared with the one before.
TTL toDateTime(occurred_at) + INTERVAL 25 MONTH
SETTINGS
    ttl_only_drop_parts = 1,
    -- Inserts remembered by their token, so that one repeated after a crash is known. A repeat follows its first try
    -- within minutes; at the sink's pace this is hours, and costs a few hundred bytes each.
    non_replicated_deduplication_window = 10000
