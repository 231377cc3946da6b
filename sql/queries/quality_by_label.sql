-- How well does each model find each label, against reviews by humans? Over all of time, with intervals of 95 %.
-- Parameters: tenant String = 'acme', language String = '*'
SELECT
    head,
    model,
    label,
    support,
    round(precision, 3) AS precision,
    round(recall, 3) AS recall,
    round(f1, 3) AS f1,
    round(f1_low, 3) AS f1_low,
    round(f1_high, 3) AS f1_high
FROM v_quality_classes
WHERE tenant = {tenant:String} AND language = {language:String}
ORDER BY head, model, support DESC
