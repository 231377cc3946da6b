-- Tickets as they are now, one row each. A second opinion on the text that the ticket has now stands in the place of the
-- local judgement, and a reviewer's word in the place of both, whichever came first: on the root cause for the ticket, on
-- urgency and sentiment for the text that was reviewed.
CREATE OR REPLACE VIEW v_tickets AS
WITH
    j.judged AND t.tier = 'local' AS by_other,
    r.event_id_3 = t.last_event_id OR (r.text_hash_3 != 0 AND r.text_hash_3 = t.text_hash) AS same_text,
    r.root_cause_3 != '' AS human_root_cause,
    r.urgency_3 != '' AND same_text AS human_urgency,
    r.sentiment_3 != '' AND same_text AS human_sentiment
SELECT
    t.* EXCEPT (state_rank, text_hash) REPLACE (
        if(human_root_cause, r.root_cause_3, if(by_other, j.root_cause_2, t.root_cause)) AS root_cause,
        if(human_root_cause, 1, if(by_other, j.root_cause_confidence_2, t.root_cause_confidence)) AS root_cause_confidence,
        if(human_urgency, r.urgency_3, if(by_other, j.urgency_2, t.urgency)) AS urgency,
        if(human_urgency, 1, if(by_other, j.urgency_confidence_2, t.urgency_confidence)) AS urgency_confidence,
        if(human_sentiment, r.sentiment_3, if(by_other, j.sentiment_2, t.sentiment)) AS sentiment,
        if(human_sentiment, 1, if(by_other, j.sentiment_confidence_2, t.sentiment_confidence)) AS sentiment_confidence,
        multiIf(
            NOT human_sentiment, if(by_other, j.sentiment_score_2, t.sentiment_score),
            r.sentiment_3 = 'negative', least(if(by_other, j.sentiment_score_2, t.sentiment_score), -0.5),
            r.sentiment_3 = 'positive', greatest(if(by_other, j.sentiment_score_2, t.sentiment_score), 0.5),
            0
        ) AS sentiment_score,
        if(by_other, j.industry_2, t.industry) AS industry,
        if(by_other, j.model_2, t.model) AS model,
        multiIf(
            human_root_cause OR human_urgency OR human_sentiment, 'human',
            by_other, if(startsWith(j.model_2, 'encoder/'), 'encoder', 'llm'),
            t.tier
        ) AS tier
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
LEFT JOIN
(
    SELECT
        tenant AS tenant_3,
        platform AS platform_3,
        ticket_id AS ticket_id_3,
        event_id AS event_id_3,
        text_hash AS text_hash_3,
        root_cause AS root_cause_3,
        urgency AS urgency_3,
        sentiment AS sentiment_3
    FROM reviews FINAL
) AS r ON t.tenant = r.tenant_3 AND t.platform = r.platform_3 AND t.ticket_id = r.ticket_id_3
