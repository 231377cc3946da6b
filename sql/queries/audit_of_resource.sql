-- Who did what to this thing?
-- Parameters: tenant String = 'acme', resource String = 'ticket/1'
SELECT at, actor_kind, actor, action, outcome, detail, request_id
FROM audit_trail
WHERE tenant = {tenant:String} AND resource = {resource:String}
ORDER BY at
