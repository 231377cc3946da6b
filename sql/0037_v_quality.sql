-- Quality in the latest version of each window, one row each.
CREATE OR REPLACE VIEW v_quality
(
    tenant String COMMENT 'The tenant; * is the sum over all tenants',
    head String COMMENT 'root_cause, urgency or sentiment',
    model String COMMENT 'Name and version of the model',
    language String COMMENT 'ISO 639-1 code; * is the sum over all languages',
    size_s UInt32 COMMENT '86400 is a day, 0 all of time',
    window_start DateTime64(3, 'UTC') COMMENT 'First instant of the window; the epoch for all of time',
    samples UInt64 COMMENT 'Reviewed tickets, created in the window, of which this head was judged',
    correct UInt64 COMMENT 'Of these, those on which model and reviewer agree',
    answered UInt64 COMMENT 'Of the samples, those of which the model was sure',
    answered_correct UInt64 COMMENT 'Of these, those on which they agree',
    accuracy Float64 COMMENT 'correct / samples',
    accuracy_low Float64 COMMENT 'Wilson interval of 95 %, lower end',
    accuracy_high Float64 COMMENT 'Upper end',
    macro_precision Float64 COMMENT 'Mean over the classes',
    macro_recall Float64 COMMENT 'Mean over the classes',
    macro_f1 Float64 COMMENT 'Mean over the classes',
    macro_f1_low Float64 COMMENT 'Interval of 95 % by the delta method, lower end',
    macro_f1_high Float64 COMMENT 'Upper end'
) AS
SELECT
    tenant,
    head,
    model,
    language,
    size_s,
    window_start,
    samples,
    correct,
    answered,
    answered_correct,
    accuracy,
    accuracy_low,
    accuracy_high,
    macro_precision,
    macro_recall,
    macro_f1,
    macro_f1_low,
    macro_f1_high
FROM quality FINAL
WHERE samples > 0
