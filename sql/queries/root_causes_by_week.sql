-- Why do customers write, and how does that change from week to week?
-- Parameters: tenant String = 'acme', days UInt32 = 90
SELECT
    toStartOfWeek(created_at, 1) AS week,
    root_cause,
    count() AS tickets,
    round(tickets / sum(tickets) OVER (PARTITION BY week), 3) AS share,
    round(avg(sentiment_score), 3) AS mood
FROM v_tickets
WHERE tenant = {tenant:String} AND created_at >= now() - toIntervalDay({days:UInt32})
GROUP BY week, root_cause
ORDER BY week, tickets DESC
