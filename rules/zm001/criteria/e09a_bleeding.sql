-- title:    Bleeding of grade 2 or more within 30 days
-- title_zh: 30天内2级及以上出血
-- kind:     exclusion
-- reading:  Grave bleeding within 30 days excludes; other bleeding is for a clinician to grade.
-- reading_zh: 30天内的严重出血，排除；其他出血由医生判定分级。
-- caveats:  No code tells the grade.
-- caveats_zh: 没有编码能说明分级。
-- sources:  concepts bleeding_grave, bleeding_other in diagnoses within 30 days
-- judged:   Whether other bleeding was of grade 2 or more.
-- judged_zh: 其他出血是否为2级及以上。
-- on_fail:  timed
with found as (
    from events(['bleeding_grave'], ['diagnoses'], to_days(30))
),

doubtful as (
    from events(['bleeding_other'], ['diagnoses'], to_days(30))
)

select
    p.patient_id,
    case
        when f.patient_id is not null then failed(said_event(f), f.evidence, 'timed', leaves_window(f.event_date, to_days(30)))
        when d.patient_id is not null then to_review('needs_attribution', said_event(d), d.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
left join doubtful as d on p.patient_id = d.patient_id
inner join no_record('diagnoses', ['bleeding_grave'], ['bleeding_grave', 'bleeding_other'], to_days(30)) as n on p.patient_id = n.patient_id
