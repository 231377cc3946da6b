-- Keeps judgements up to date with every insert into opinions, in the same insert.
CREATE MATERIALIZED VIEW IF NOT EXISTS judgements_from_opinions TO judgements AS
SELECT
    tenant,
    platform,
    ticket_id,
    text_hash,
    event_id,
    answered_at,
    root_cause,
    root_cause_confidence,
    urgency,
    urgency_confidence,
    sentiment,
    sentiment_confidence,
    sentiment_score,
    industry,
    model
FROM opinions
WHERE result = 'answered'
