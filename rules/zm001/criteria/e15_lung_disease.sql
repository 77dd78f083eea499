-- title:    COPD, interstitial lung disease, abnormal lung function
-- title_zh: 慢阻肺、间质性肺病或肺功能异常
-- kind:     exclusion
-- reading:  COPD or ILD ever excludes; other lung findings within 365 days are for a clinician.
-- reading_zh: 任何时间的慢阻肺（COPD）或间质性肺病（ILD），排除；365天内的其他肺部异常，由医生判断。
-- caveats:  Lung function tests are rarely coded.
-- caveats_zh: 肺功能检查很少有编码。
-- sources:  concepts copd, ild in diagnoses ever; concept lung_review in diagnoses within 365 days
-- judged:   Whether an abnormal lung function or lung finding is clinically significant.
-- judged_zh: 肺功能异常或其他肺部异常是否有临床意义。
-- on_fail:  lasting
with found as (
    from events(['copd', 'ild'], ['diagnoses'], null)
),

doubtful as (
    from events(['lung_review'], ['diagnoses'], to_days(365))
)

select
    p.patient_id,
    case
        when f.patient_id is not null then failed(said_event(f), f.evidence, 'lasting')
        when d.patient_id is not null then to_review('needs_attribution', said_event(d), d.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
left join doubtful as d on p.patient_id = d.patient_id
inner join no_record('diagnoses', ['copd', 'ild'], ['copd', 'ild', 'lung_review'], null) as n on p.patient_id = n.patient_id
