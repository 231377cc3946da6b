-- What happened to this ticket, and how did its judgement change?
-- Parameters: tenant String = 'acme', ticket_id String = '1'
SELECT
    occurred_at,
    kind,
    origin,
    status,
    priority,
    urgency,
    round(urgency_confidence, 2) AS urgency_confidence,
    sentiment,
    root_cause,
    tier,
    model,
    redactions,
    summary
FROM ticket_events
WHERE tenant = {tenant:String} AND ticket_id = {ticket_id:String}
ORDER BY version, kafka_offset
