-- Where is the model unsure? Candidates for a second opinion or a review, by label.
-- Parameters: tenant String = 'acme', days UInt32 = 7
SELECT
    model,
    root_cause,
    count() AS tickets,
    countIf(root_cause_abstained) AS unsure,
    round(unsure / tickets, 3) AS unsure_share,
    round(quantile(0.5)(root_cause_confidence), 3) AS median_confidence
FROM ticket_events
WHERE tenant = {tenant:String} AND occurred_at >= now() - toIntervalDay({days:UInt32})
GROUP BY model, root_cause
ORDER BY unsure DESC
