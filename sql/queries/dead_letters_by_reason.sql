-- What could not be processed, why, and what is to be done about it?
-- Parameters: days UInt32 = 7
SELECT
    stage,
    reason,
    count() AS records,
    uniqExact(tenant) AS tenants,
    max(failed_at) AS latest,
    argMax(source, failed_at) AS latest_source,
    argMax(fix, failed_at) AS what_to_do
FROM dead_letters
WHERE failed_at >= now() - toIntervalDay({days:UInt32})
GROUP BY stage, reason
ORDER BY records DESC
