-- Do write-backs arrive at the helpdesk, how fast, and what stops those that do not?
-- Parameters: days UInt32 = 7
SELECT
    tenant,
    service,
    result,
    status,
    count() AS writes,
    round(avg(attempts), 2) AS mean_attempts,
    round(quantileIf(0.95)(dateDiff('millisecond', assumeNotNull(received_at), finished_at), isNotNull(received_at))) AS p95_ms,
    any(detail) AS example
FROM outcomes
WHERE kind = 'write_back' AND finished_at >= now() - toIntervalDay({days:UInt32})
GROUP BY tenant, service, result, status
ORDER BY tenant, writes DESC
