-- Are customers getting angrier? Share of negative tickets by day, beside the number of tickets.
-- Parameters: tenant String = 'acme', days UInt32 = 30
SELECT
    toDate(window_start) AS day,
    tickets,
    sentiment['negative'] AS negative,
    round(negative_share, 3) AS negative_share,
    high_urgency,
    closed
FROM v_window_1d
WHERE tenant = {tenant:String} AND window_start >= now() - toIntervalDay({days:UInt32})
ORDER BY day
