-- What personal data do customers send, and which detector finds it?
-- Parameters: tenant String = 'acme', days UInt32 = 30
SELECT
    data_kind,
    detector,
    count() AS found,
    uniqExact(ticket_id) AS tickets,
    round(avg(score), 3) AS mean_score
FROM ticket_events
ARRAY JOIN `spans.kind` AS data_kind, `spans.detector` AS detector, `spans.score` AS score
WHERE tenant = {tenant:String} AND occurred_at >= now() - toIntervalDay({days:UInt32})
GROUP BY data_kind, detector
ORDER BY found DESC
