-- title:    COPD, interstitial lung disease, abnormal lung function
-- title_zh: 慢阻肺、间质性肺病或肺功能异常
-- kind:     exclusion
-- reading:  COPD or ILD ever excludes; other lung findings within 365 days are for a clinician.
-- caveats:  Lung function tests are rarely coded.
-- sources:  concepts copd, ild, lung_review
-- on_fail:  lasting
with found as (
    from events(['copd', 'ild'], ['diagnoses'], null)
),

doubtful as (
    from events(['lung_review'], ['diagnoses'], to_days(365))
)

select
    p.patient_id,
    unnest(case
        when f.patient_id is not null then failed(said_event(f), f.evidence, 'lasting')
        when d.patient_id is not null then to_review('needs_attribution', said_event(d), d.evidence)
        else n.nothing
    end)
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
left join doubtful as d on p.patient_id = d.patient_id
inner join no_record('diagnoses', ['copd', 'ild'], ['copd', 'ild', 'lung_review'], null) as n on p.patient_id = n.patient_id
