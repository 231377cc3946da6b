-- Tickets as they are now, one row each. A second opinion on the text that the ticket has now stands in the place of the
-- local judgement, whichever of the two came first.
CREATE OR REPLACE VIEW v_tickets AS
SELECT
    t.* EXCEPT (state_rank, text_hash) REPLACE (
        if(j.judged AND t.tier = 'local', j.root_cause_2, t.root_cause) AS root_cause,
        if(j.judged AND t.tier = 'local', j.root_cause_confidence_2, t.root_cause_confidence) AS root_cause_confidence,
        if(j.judged AND t.tier = 'local', j.urgency_2, t.urgency) AS urgency,
        if(j.judged AND t.tier = 'local', j.urgency_confidence_2, t.urgency_confidence) AS urgency_confidence,
        if(j.judged AND t.tier = 'local', j.sentiment_2, t.sentiment) AS sentiment,
        if(j.judged AND t.tier = 'local', j.sentiment_confidence_2, t.sentiment_confidence) AS sentiment_confidence,
        if(j.judged AND t.tier = 'local', j.sentiment_score_2, t.sentiment_score) AS sentiment_score,
        if(j.judged AND t.tier = 'local', j.industry_2, t.industry) AS industry,
        if(j.judged AND t.tier = 'local', j.model_2, t.model) AS model,
        if(j.judged AND t.tier = 'local', 'llm', t.tier) AS tier
    ),
    CAST(t.status IN ('new', 'open', 'pending', 'hold'), 'Bool') AS open,
    arraySum(mapValues(t.redactions)) AS redaction_count
FROM tickets AS t FINAL
LEFT JOIN
(
    SELECT
        tenant AS tenant_2,
        platform AS platform_2,
        ticket_id AS ticket_id_2,
        text_hash AS text_hash_2,
        root_cause AS root_cause_2,
        root_cause_confidence AS root_cause_confidence_2,
        urgency AS urgency_2,
        urgency_confidence AS urgency_confidence_2,
        sentiment AS sentiment_2,
        sentiment_confidence AS sentiment_confidence_2,
        sentiment_score AS sentiment_score_2,
        industry AS industry_2,
        model AS model_2,
        true AS judged
    FROM judgements FINAL
) AS j ON t.tenant = j.tenant_2 AND t.platform = j.platform_2 AND t.ticket_id = j.ticket_id_2 AND t.text_hash = j.text_hash_2
