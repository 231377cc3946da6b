-- Which open tickets of a tenant should be looked at first?
-- Parameters: tenant String = 'acme'
SELECT
    ticket_id,
    platform,
    urgency,
    sentiment,
    root_cause,
    summary,
    dateDiff('minute', created_at, now64(3)) AS age_minutes
FROM v_tickets
WHERE tenant = {tenant:String} AND open
ORDER BY indexOf(['critical', 'high', 'normal', 'low'], urgency), sentiment_score, created_at
LIMIT 100
