-- Integrity: events of the topic `events` that are neither in ticket_events nor in dead_letters, as ranges. No row means
-- that all is well. Offsets of that topic are dense, since its producers do not use transactions; what lies before the
-- first and behind the last offset seen is not judged.
-- Parameters: events_topic String = 'deskstream.events'
SELECT source_partition, previous + 1 AS first_missing, source_offset - 1 AS last_missing, last_missing - first_missing + 1 AS missing
FROM
(
    SELECT
        source_partition,
        source_offset,
        lagInFrame(source_offset, 1, source_offset - 1) OVER (PARTITION BY source_partition ORDER BY source_offset) AS previous
    FROM
    (
        SELECT DISTINCT source_partition, source_offset FROM ticket_events
        UNION DISTINCT
        SELECT toInt32(splitByChar('/', source)[-2]) AS source_partition, toInt64(splitByChar('/', source)[-1]) AS source_offset
        FROM dead_letters
        WHERE startsWith(source, concat({events_topic:String}, '/'))
    )
)
WHERE source_offset - previous > 1
ORDER BY source_partition, first_missing
