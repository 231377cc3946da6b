-- How each head of each model agrees with reviews by humans, by window, as versioned upserts: a corrected review gives a
-- window a new version, and the highest holds. Kept by the pipeline, exact under corrections.
CREATE TABLE IF NOT EXISTS quality
(
    tenant                LowCardinality(String) COMMENT 'The tenant; * is the sum over all tenants',
    head                  LowCardinality(String) COMMENT 'root_cause, urgency or sentiment',
    model                 LowCardinality(String) COMMENT 'Name and version of the model',
    language              LowCardinality(String) COMMENT 'ISO 639-1 code; * is the sum over all languages',
    size_s                UInt32 COMMENT '86400 is a day, 0 all of time',
    window_start          DateTime64(3, 'UTC') COMMENT 'First instant of the window; the epoch for all of time',
    version               UInt64 COMMENT 'The highest holds',
    samples               UInt64 COMMENT 'Reviewed tickets, created in the window, of which this head was judged',
    correct               UInt64 COMMENT 'Of these, those on which model and reviewer agree',
    answered              UInt64 COMMENT 'Of the samples, those of which the model was sure',
    answered_correct      UInt64 COMMENT 'Of these, those on which they agree',
    accuracy              Float64 COMMENT 'correct / samples',
    accuracy_low          Float64 COMMENT 'Wilson interval of 95 %, lower end',
    accuracy_high         Float64 COMMENT 'Upper end',
    macro_precision       Float64 COMMENT 'Mean over the classes',
    macro_recall          Float64 COMMENT 'Mean over the classes',
    macro_f1              Float64 COMMENT 'Mean over the classes',
    macro_f1_low          Float64 COMMENT 'Interval of 95 % by the delta method, lower end',
    macro_f1_high         Float64 COMMENT 'Upper end',
    class_labels          Array(LowCardinality(String)) COMMENT 'Every label that a reviewer or the model gave: one entry each, as in the next arrays',
    class_support         Array(UInt64) COMMENT 'Samples that reviewers gave it',
    class_predicted       Array(UInt64) COMMENT 'Samples that the model gave it',
    class_true_positives  Array(UInt64) COMMENT 'Samples that both gave it',
    class_precision       Array(Float64) COMMENT 'true_positives / predicted',
    class_precision_low   Array(Float64) COMMENT 'Wilson interval of 95 %, lower end',
    class_precision_high  Array(Float64) COMMENT 'Upper end',
    class_recall          Array(Float64) COMMENT 'true_positives / support',
    class_recall_low      Array(Float64) COMMENT 'Wilson interval of 95 %, lower end',
    class_recall_high     Array(Float64) COMMENT 'Upper end',
    class_f1              Array(Float64) COMMENT '2 · true_positives / (support + predicted)',
    class_f1_low          Array(Float64) COMMENT 'Interval of 95 % (Wilson indirect), lower end',
    class_f1_high         Array(Float64) COMMENT 'Upper end',
    confusion_human       Array(LowCardinality(String)) COMMENT 'Cells of the confusion matrix that are not zero: what the reviewer said',
    confusion_predicted   Array(LowCardinality(String)) COMMENT 'What the model said',
    confusion_count       Array(UInt64) COMMENT 'So many samples',
    kafka_topic           LowCardinality(String) COMMENT 'Where the record lies in Kafka',
    kafka_partition       Int32                  COMMENT 'Its partition',
    kafka_offset          Int64                  COMMENT 'Its position there' CODEC(Delta, ZSTD(1)),
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was inserted' CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, head, model, language, size_s, window_start)
TTL toDateTime(window_start) + INTERVAL 25 MONTH DELETE WHERE size_s > 0
SETTINGS
    non_replicated_deduplication_window = 10000
