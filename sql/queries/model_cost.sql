-- What does the analysis cost, by tenant, tier and model?
-- Parameters: days UInt32 = 30
SELECT
    tenant,
    tier,
    model,
    count() AS events,
    sum(tokens_in) AS tokens_in,
    sum(tokens_out) AS tokens_out,
    round(sum(cost_microusd) / 1e6, 4) AS usd,
    round(quantile(0.95)(analysis_us) / 1000, 2) AS p95_ms
FROM ticket_events
WHERE occurred_at >= now() - toIntervalDay({days:UInt32})
GROUP BY tenant, tier, model
ORDER BY usd DESC, events DESC
