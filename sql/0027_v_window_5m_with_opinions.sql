-- The five-minute windows in their latest version, one row each, with what second opinions cost.
CREATE OR REPLACE VIEW v_window_5m AS
SELECT * EXCEPT (size_s, kafka_topic, kafka_partition, kafka_offset, ingested_at)
FROM windows FINAL
WHERE size_s = 300
