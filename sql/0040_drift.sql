-- How far what tickets look like to each head has moved from the seven days before, by day, as versioned upserts.
CREATE TABLE IF NOT EXISTS drift
(
    tenant                LowCardinality(String) COMMENT 'The tenant; * is the sum over all tenants',
    head                  LowCardinality(String) COMMENT 'root_cause, urgency, sentiment or language',
    window_start          DateTime64(3, 'UTC') COMMENT 'First instant of the day, by the tickets\' creation',
    version               UInt64 COMMENT 'The highest holds',
    closed                Bool COMMENT 'Nothing can change the day any more',
    tickets               UInt64 COMMENT 'Tickets of the day',
    labels                Map(LowCardinality(String), UInt64) COMMENT 'Of these, by label in their latest state',
    confidences           Map(LowCardinality(String), UInt64) COMMENT 'Of these, by the tenth that the model\'s confidence lies in, 0 to 9',
    reference_start       DateTime64(3, 'UTC') COMMENT 'First instant of the reference period, which ends where the day begins',
    reference_tickets     UInt64 COMMENT 'Tickets of the reference period',
    label_psi             Nullable(Float64) COMMENT 'Population stability index of the label mix; below 0.1 stable, above 0.25 shifted. NULL where there are too few tickets',
    confidence_psi        Nullable(Float64) COMMENT 'The same of the confidences',
    label_noise           Nullable(Float64) COMMENT 'What chance alone would exceed once in a hundred times',
    confidence_noise      Nullable(Float64) COMMENT 'The same of the confidences',
    kafka_topic           LowCardinality(String) COMMENT 'Where the record lies in Kafka',
    kafka_partition       Int32                  COMMENT 'Its partition',
    kafka_offset          Int64                  COMMENT 'Its position there' CODEC(Delta, ZSTD(1)),
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was inserted' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, head, window_start)
TTL toDateTime(window_start) + INTERVAL 25 MONTH
SETTINGS
    non_replicated_deduplication_window = 10000
