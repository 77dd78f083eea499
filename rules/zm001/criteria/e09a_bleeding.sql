-- title:    Bleeding of grade 2 or more within 30 days
-- title_zh: 30天内2级及以上出血
-- kind:     exclusion
-- reading:  Grave bleeding within 30 days excludes; other bleeding is for a clinician to grade.
-- caveats:  No code tells the grade.
-- sources:  concepts bleeding_grave, bleeding_other
-- on_fail:  timed
with found as (
    from events(['bleeding_grave'], ['diagnoses'], to_days(30))
),

doubtful as (
    from events(['bleeding_other'], ['diagnoses'], to_days(30))
)

select
    p.patient_id,
    unnest(case
        when f.patient_id is not null then failed(said_event(f), f.evidence, 'timed', leaves_window(f.event_date, to_days(30)))
        when d.patient_id is not null then to_review('needs_attribution', said_event(d), d.evidence)
        else n.nothing
    end)
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
left join doubtful as d on p.patient_id = d.patient_id
inner join no_record('diagnoses', ['bleeding_grave'], ['bleeding_grave', 'bleeding_other'], to_days(30)) as n on p.patient_id = n.patient_id
