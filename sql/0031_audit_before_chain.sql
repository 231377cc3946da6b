-- Rows that were written before the audit trail was a chain. What of them is still in Kafka is chained, and comes again into
-- the table `audit` of the next migration; these go by their TTL.
RENAME TABLE IF EXISTS audit TO audit_before_chain
