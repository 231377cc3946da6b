-- Confusion matrices, one row for each cell that is not zero of each window in its latest version.
CREATE OR REPLACE VIEW v_confusion
(
    tenant String COMMENT 'The tenant; * is the sum over all tenants',
    head String COMMENT 'root_cause, urgency or sentiment',
    model String COMMENT 'Name and version of the model',
    language String COMMENT 'ISO 639-1 code; * is the sum over all languages',
    size_s UInt32 COMMENT '86400 is a day, 0 all of time',
    window_start DateTime64(3, 'UTC') COMMENT 'First instant of the window; the epoch for all of time',
    human String COMMENT 'What the reviewer said',
    predicted String COMMENT 'What the model said',
    count UInt64 COMMENT 'So many samples'
) AS
SELECT
    tenant,
    head,
    model,
    language,
    size_s,
    window_start,
    human,
    predicted,
    count
FROM quality FINAL
ARRAY JOIN
    confusion_human AS human,
    confusion_predicted AS predicted,
    confusion_count AS count
