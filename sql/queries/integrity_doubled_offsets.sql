-- Integrity: a record of Kafka that is in its table more than once. No row means that all is well.
-- (Windows and tickets are upserts: there the latest state of a key holds, and a repeat changes nothing.)
SELECT table_name, kafka_topic, kafka_partition, kafka_offset, count() AS copies
FROM
(
    SELECT 'ticket_events' AS table_name, kafka_topic, kafka_partition, kafka_offset FROM ticket_events
    UNION ALL SELECT 'alerts', kafka_topic, kafka_partition, kafka_offset FROM alerts
    UNION ALL SELECT 'audit_trail', kafka_topic, kafka_partition, kafka_offset FROM audit_trail
    UNION ALL SELECT 'dead_letters', kafka_topic, kafka_partition, kafka_offset FROM dead_letters
    UNION ALL SELECT 'opinions', kafka_topic, kafka_partition, kafka_offset FROM opinions
    UNION ALL SELECT 'outcomes', kafka_topic, kafka_partition, kafka_offset FROM outcomes
)
GROUP BY table_name, kafka_topic, kafka_partition, kafka_offset
HAVING copies > 1
ORDER BY table_name, kafka_topic, kafka_partition, kafka_offset
