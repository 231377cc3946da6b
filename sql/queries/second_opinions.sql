-- What did second opinions cost, how did they end, and how often did they agree with the local model?
-- Parameters: days UInt32 = 30
SELECT
    o.tenant AS tenant,
    o.provider AS provider,
    count() AS requests,
    countIf(o.result = 'answered' AND NOT o.cached) AS answered,
    countIf(o.cached) AS cached,
    countIf(o.result = 'skipped') AS skipped,
    countIf(o.result = 'failed') AS failed,
    round(sum(o.cost_microusd) / 1e6, 4) AS usd,
    round(sum(o.cost_microusd) / 1e6 / greatest(uniqExact(o.platform, o.ticket_id), 1), 6) AS usd_per_ticket,
    round(quantile(0.95)(o.latency_ms)) AS p95_ms,
    round(avgIf(e.root_cause = o.root_cause, o.result = 'answered' AND e.event_id != ''), 3) AS agreed_on_root_cause
FROM opinions AS o
LEFT ANY JOIN
(
    SELECT tenant, event_id, root_cause
    FROM ticket_events
    WHERE occurred_at >= now() - toIntervalDay({days:UInt32} + 1)
) AS e ON o.tenant = e.tenant AND o.event_id = e.event_id
WHERE o.answered_at >= now() - toIntervalDay({days:UInt32})
GROUP BY tenant, provider
ORDER BY usd DESC, requests DESC
