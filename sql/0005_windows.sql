-- Windowed metrics, as versioned upserts: late and corrected data give a window a new version, and the highest holds.
-- A summing table would count a repeated or corrected window twice.
CREATE TABLE IF NOT EXISTS windows
(
    tenant          LowCardinality(String)              COMMENT '* is the sum over all tenants',
    size_s          UInt32                              COMMENT '60, 300, 3600 or 86400',
    window_start    DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    window_end      DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    version         UInt64 CODEC(Delta, ZSTD(1)),
    closed          Bool                                COMMENT 'Nothing can change it any more',
    events          UInt64 CODEC(T64, ZSTD(1)),
    errors          UInt64 CODEC(T64, ZSTD(1)),
    success_rate    Float64,
    error_rate      Float64,
    error_reasons   Map(LowCardinality(String), UInt64),
    latency_p50_ms  Float64,
    latency_p95_ms  Float64,
    latency_p99_ms  Float64,
    latency_sum_ms  UInt64 CODEC(T64, ZSTD(1)),
    latency_sketch  Map(Int32, UInt64)                  COMMENT 'DDSketch of 1 %: count by bucket; windows merge with sumMap',
    redactions      Map(LowCardinality(String), UInt64),
    tickets         UInt64 COMMENT 'Created in the window, in their latest state' CODEC(T64, ZSTD(1)),
    urgency         Map(LowCardinality(String), UInt64),
    sentiment       Map(LowCardinality(String), UInt64),
    root_causes     Map(LowCardinality(String), UInt64),
    industries      Map(LowCardinality(String), UInt64),
    languages       Map(LowCardinality(String), UInt64),
    negative_share  Float64,
    high_urgency    UInt64 CODEC(T64, ZSTD(1)),
    kafka_topic     LowCardinality(String),
    kafka_partition Int32,
    kafka_offset    Int64 CODEC(Delta, ZSTD(1)),
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
-- By size too, so that each size can have its own retention without rewriting parts. Both parts of the key are part of
-- a window's identity: its versions always meet in one partition.
PARTITION BY (size_s, toYYYYMM(window_start))
ORDER BY (tenant, size_s, window_start)
-- Minutes for a season, five minutes for a year and a month, hours and days for five years.
TTL
    toDateTime(window_start) + INTERVAL 3 MONTH DELETE WHERE size_s = 60,
    toDateTime(window_start) + INTERVAL 13 MONTH DELETE WHERE size_s = 300,
    toDateTime(window_start) + INTERVAL 60 MONTH DELETE WHERE size_s > 300
SETTINGS
    non_replicated_deduplication_window = 10000
