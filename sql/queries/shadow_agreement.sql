-- How far does the candidate in the shadow agree with the live model? Cohen's kappa is the agreement beyond chance.
-- Parameters: tenant String = 'acme', days UInt32 = 7
WITH pairs AS
(
    SELECT model, shadow_model, pair.1 AS head, pair.2 AS live, pair.3 AS candidate
    FROM ticket_events
    ARRAY JOIN
        [
            ('root_cause', toString(root_cause), toString(shadow_root_cause)),
            ('urgency', toString(urgency), toString(shadow_urgency)),
            ('sentiment', toString(sentiment), toString(shadow_sentiment))
        ] AS pair
    WHERE tenant = {tenant:String} AND occurred_at >= now() - toIntervalDay({days:UInt32}) AND shadow_model != ''
)
SELECT
    head,
    model,
    shadow_model,
    sum(n) AS events,
    round(sumIf(n, live = candidate) / events, 4) AS agreement,
    -- Labels as often as each model uses them, by chance alone on the same event.
    arraySum(l -> live_counts[l] * candidate_counts[l], mapKeys(live_counts)) / (events * events) AS by_chance,
    round((agreement - by_chance) / nullIf(1 - by_chance, 0), 4) AS kappa
FROM
(
    SELECT
        head,
        model,
        shadow_model,
        live,
        candidate,
        n,
        sumMap(map(live, n)) OVER (PARTITION BY head, model, shadow_model) AS live_counts,
        sumMap(map(candidate, n)) OVER (PARTITION BY head, model, shadow_model) AS candidate_counts
    FROM
    (
        SELECT head, model, shadow_model, live, candidate, count() AS n
        FROM pairs
        GROUP BY head, model, shadow_model, live, candidate
    )
)
GROUP BY head, model, shadow_model, live_counts, candidate_counts
ORDER BY head, model, shadow_model
