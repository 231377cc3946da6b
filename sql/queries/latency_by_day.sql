-- How long does a ticket take from arrival to analysis? Percentiles per day, merged exactly from the hours' sketches.
-- A bucket i holds values in (γ^(i−1), γ^i] microseconds with γ = 1.01 / 0.99.
-- Parameters: tenant String = '*', days UInt32 = 7
WITH 1.01 / 0.99 AS gamma
SELECT
    toDate(window_start) AS day,
    sum(events) AS event_count,
    round(sum(latency_sum_ms) / greatest(event_count, 1), 1) AS mean_ms,
    sumMap(latency_sketch) AS sketch,
    arrayCumSum(mapValues(sketch)) AS running,
    mapKeys(sketch) AS buckets,
    round(2 * pow(gamma, buckets[arrayFirstIndex(n -> n >= 0.50 * running[-1], running)]) / (gamma + 1) / 1000, 2) AS p50_ms,
    round(2 * pow(gamma, buckets[arrayFirstIndex(n -> n >= 0.95 * running[-1], running)]) / (gamma + 1) / 1000, 2) AS p95_ms,
    round(2 * pow(gamma, buckets[arrayFirstIndex(n -> n >= 0.99 * running[-1], running)]) / (gamma + 1) / 1000, 2) AS p99_ms
FROM v_window_1h
WHERE tenant = {tenant:String} AND window_start >= now() - toIntervalDay({days:UInt32})
GROUP BY day
HAVING notEmpty(sketch)
ORDER BY day
