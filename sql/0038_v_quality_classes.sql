-- Quality by class, one row for each label of each window in its latest version. Where a share has nothing to be a share of, it
-- is 0 and its interval 0 to 1.
CREATE OR REPLACE VIEW v_quality_classes
(
    tenant String COMMENT 'The tenant; * is the sum over all tenants',
    head String COMMENT 'root_cause, urgency or sentiment',
    model String COMMENT 'Name and version of the model',
    language String COMMENT 'ISO 639-1 code; * is the sum over all languages',
    size_s UInt32 COMMENT '86400 is a day, 0 all of time',
    window_start DateTime64(3, 'UTC') COMMENT 'First instant of the window; the epoch for all of time',
    label String COMMENT 'The label, as one class against the rest',
    support UInt64 COMMENT 'Samples that reviewers gave it',
    predicted UInt64 COMMENT 'Samples that the model gave it',
    true_positives UInt64 COMMENT 'Samples that both gave it',
    precision Float64 COMMENT 'true_positives / predicted',
    precision_low Float64 COMMENT 'Wilson interval of 95 %, lower end',
    precision_high Float64 COMMENT 'Upper end',
    recall Float64 COMMENT 'true_positives / support',
    recall_low Float64 COMMENT 'Wilson interval of 95 %, lower end',
    recall_high Float64 COMMENT 'Upper end',
    f1 Float64 COMMENT '2 · true_positives / (support + predicted)',
    f1_low Float64 COMMENT 'Interval of 95 % (Wilson indirect), lower end',
    f1_high Float64 COMMENT 'Upper end'
) AS
SELECT
    tenant,
    head,
    model,
    language,
    size_s,
    window_start,
    label,
    support,
    predicted,
    true_positives,
    precision,
    precision_low,
    precision_high,
    recall,
    recall_low,
    recall_high,
    f1,
    f1_low,
    f1_high
FROM quality FINAL
ARRAY JOIN
    class_labels AS label,
    class_support AS support,
    class_predicted AS predicted,
    class_true_positives AS true_positives,
    class_precision AS precision,
    class_precision_low AS precision_low,
    class_precision_high AS precision_high,
    class_recall AS recall,
    class_recall_low AS recall_low,
    class_recall_high AS recall_high,
    class_f1 AS f1,
    class_f1_low AS f1_low,
    class_f1_high AS f1_high
