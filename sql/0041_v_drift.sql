-- Drift in the latest version of each day, one row for each head.
CREATE OR REPLACE VIEW v_drift
(
    tenant String COMMENT 'The tenant; * is the sum over all tenants',
    head String COMMENT 'root_cause, urgency, sentiment or language',
    window_start DateTime64(3, 'UTC') COMMENT 'First instant of the day, by the tickets\' creation',
    closed Bool COMMENT 'Nothing can change the day any more',
    tickets UInt64 COMMENT 'Tickets of the day',
    labels Map(String, UInt64) COMMENT 'Of these, by label in their latest state',
    confidences Map(String, UInt64) COMMENT 'Of these, by the tenth that the model\'s confidence lies in, 0 to 9',
    reference_start DateTime64(3, 'UTC') COMMENT 'First instant of the reference period, which ends where the day begins',
    reference_tickets UInt64 COMMENT 'Tickets of the reference period',
    label_psi Nullable(Float64) COMMENT 'Population stability index of the label mix; below 0.1 stable, above 0.25 shifted. NULL where there are too few tickets',
    confidence_psi Nullable(Float64) COMMENT 'The same of the confidences',
    label_noise Nullable(Float64) COMMENT 'What chance alone would exceed once in a hundred times',
    confidence_noise Nullable(Float64) COMMENT 'The same of the confidences'
) AS
SELECT
    tenant,
    head,
    window_start,
    closed,
    tickets,
    labels,
    confidences,
    reference_start,
    reference_tickets,
    label_psi,
    confidence_psi,
    label_noise,
    confidence_noise
FROM drift FINAL
