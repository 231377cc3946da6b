-- Integrity: tickets whose latest state is not the one of their latest event. No row means that all is well.
SELECT e.tenant, e.platform, e.ticket_id, e.version AS latest_event, t.version AS in_tickets
FROM (SELECT tenant, platform, ticket_id, max(version) AS version FROM ticket_events GROUP BY tenant, platform, ticket_id) AS e
LEFT JOIN v_tickets AS t USING (tenant, platform, ticket_id)
WHERE e.version != t.version
ORDER BY e.tenant, e.platform, e.ticket_id
