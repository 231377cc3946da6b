-- Who judged, and what second opinions cost.
ALTER TABLE windows
    ADD COLUMN IF NOT EXISTS tiers Map(LowCardinality(String), UInt64) COMMENT 'Tickets by who judged them last: local, llm or human' AFTER high_urgency,
    ADD COLUMN IF NOT EXISTS opinions Map(LowCardinality(String), UInt64) COMMENT 'Second opinions that ended in the window: answered, cached, skipped, failed' AFTER tiers,
    ADD COLUMN IF NOT EXISTS opinion_tokens_in UInt64 CODEC(T64, ZSTD(1)) AFTER opinions,
    ADD COLUMN IF NOT EXISTS opinion_tokens_out UInt64 CODEC(T64, ZSTD(1)) AFTER opinion_tokens_in,
    ADD COLUMN IF NOT EXISTS opinion_cost_microusd UInt64 CODEC(T64, ZSTD(1)) AFTER opinion_tokens_out
