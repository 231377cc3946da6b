-- Which alerts fired lately, for how long, and are they still on?
-- Parameters: days UInt32 = 30
SELECT rule, tenant, alert_group, severity, fired_at, resolved_at, duration_s, firing, round(worst_value, 4) AS worst_value, threshold, summary
FROM v_alert_episodes
WHERE fired_at >= now() - toIntervalDay({days:UInt32})
ORDER BY firing DESC, fired_at DESC
