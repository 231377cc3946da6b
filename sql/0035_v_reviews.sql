-- The latest review of each ticket, one row for each model that had judged the reviewed text, and one without a model where
-- none is known.
CREATE OR REPLACE VIEW v_reviews
(
    tenant String COMMENT 'The tenant that owns the ticket',
    platform String COMMENT 'The helpdesk the ticket lives in',
    ticket_id String COMMENT 'Its id there',
    event_id String COMMENT 'The event whose analysis was reviewed',
    reviewed_by String COMMENT 'Id of the user or API key, as in audit_trail',
    reviewed_at DateTime64(3, 'UTC') COMMENT 'When it was reviewed',
    result String COMMENT 'applied, text_changed or unknown_ticket; see reviews',
    language String COMMENT 'Of the reviewed text',
    tier String COMMENT 'local or llm; empty if no model is known',
    model String COMMENT 'Name and version of the model',
    human_root_cause String COMMENT 'What the reviewer says, empty if not judged',
    model_root_cause String COMMENT 'What the model had said',
    root_cause_confidence Float32 COMMENT 'How sure it was',
    human_urgency String COMMENT 'What the reviewer says, empty if not judged',
    model_urgency String COMMENT 'What the model had said',
    urgency_confidence Float32 COMMENT 'How sure it was',
    human_sentiment String COMMENT 'What the reviewer says, empty if not judged',
    model_sentiment String COMMENT 'What the model had said',
    sentiment_confidence Float32 COMMENT 'How sure it was'
) AS
SELECT
    tenant,
    platform,
    ticket_id,
    event_id,
    reviewed_by,
    reviewed_at,
    result,
    language,
    tier,
    model,
    root_cause AS human_root_cause,
    model_root_cause,
    root_cause_confidence,
    urgency AS human_urgency,
    model_urgency,
    urgency_confidence,
    sentiment AS human_sentiment,
    model_sentiment,
    sentiment_confidence
FROM reviews FINAL
LEFT ARRAY JOIN
    tiers AS tier,
    models AS model,
    root_causes AS model_root_cause,
    root_cause_confidences AS root_cause_confidence,
    urgencies AS model_urgency,
    urgency_confidences AS urgency_confidence,
    sentiments AS model_sentiment,
    sentiment_confidences AS sentiment_confidence
