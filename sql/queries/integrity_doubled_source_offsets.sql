-- Integrity: an event of the topic `events` that was enriched more than once. No row means that all is well.
SELECT source_partition, source_offset, count() AS copies, groupUniqArray(event_id) AS event_ids
FROM ticket_events
GROUP BY source_partition, source_offset
HAVING copies > 1
ORDER BY source_partition, source_offset
