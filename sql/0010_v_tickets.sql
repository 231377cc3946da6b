-- Tickets as they are now, one row each. FINAL picks the latest state where a merge has not yet.
CREATE OR REPLACE VIEW v_tickets AS
SELECT
    * EXCEPT (state_rank),
    CAST(status IN ('new', 'open', 'pending', 'hold'), 'Bool') AS open,
    arraySum(mapValues(redactions)) AS redaction_count
FROM tickets FINAL
