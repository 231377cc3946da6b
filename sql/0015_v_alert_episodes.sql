-- One row for each episode of an alert: from the first firing to its resolution, if there is one yet.
-- Transitions are told apart by what they say, so one that the topic holds twice counts once.
CREATE OR REPLACE VIEW v_alert_episodes AS
SELECT
    dedup_key,
    any(tenant) AS tenant,
    any(rule) AS rule,
    any(alert_group) AS alert_group,
    argMax(severity, changed_at) AS severity,
    min(started_at) AS fired_at,
    maxIf(changed_at, state = 'resolved') AS last_resolved_at,
    CAST(argMax(state, changed_at) = 'firing', 'Bool') AS firing,
    if(firing, NULL, last_resolved_at) AS resolved_at,
    if(firing, NULL, dateDiff('second', fired_at, last_resolved_at)) AS duration_s,
    argMax(summary, changed_at) AS summary,
    maxIf(value, state = 'firing') AS worst_value,
    any(threshold) AS threshold
FROM alerts
GROUP BY dedup_key
