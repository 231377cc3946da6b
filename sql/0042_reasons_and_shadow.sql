-- Why the local model judged a ticket urgent; and what a candidate model says of the same text, while it runs in the shadow:
-- empty without one.
ALTER TABLE ticket_events
    ADD COLUMN IF NOT EXISTS urgency_reasons Array(String) COMMENT 'Phrases of the redacted text that spoke for a high or critical urgency most' AFTER urgency_abstained,
    ADD COLUMN IF NOT EXISTS shadow_model LowCardinality(String) COMMENT 'Name and version of the candidate' AFTER notes,
    ADD COLUMN IF NOT EXISTS shadow_root_cause LowCardinality(String) COMMENT 'What it says, without effect' AFTER shadow_model,
    ADD COLUMN IF NOT EXISTS shadow_root_cause_confidence Float32 COMMENT 'How sure it is' AFTER shadow_root_cause,
    ADD COLUMN IF NOT EXISTS shadow_urgency LowCardinality(String) COMMENT 'What it says, without effect' AFTER shadow_root_cause_confidence,
    ADD COLUMN IF NOT EXISTS shadow_urgency_confidence Float32 COMMENT 'How sure it is' AFTER shadow_urgency,
    ADD COLUMN IF NOT EXISTS shadow_sentiment LowCardinality(String) COMMENT 'What it says, without effect' AFTER shadow_urgency_confidence,
    ADD COLUMN IF NOT EXISTS shadow_sentiment_confidence Float32 COMMENT 'How sure it is' AFTER shadow_sentiment,
    ADD COLUMN IF NOT EXISTS shadow_latency_us UInt64 COMMENT 'Time that it took' AFTER shadow_sentiment_confidence
