-- title:    Massive serous effusion with compression
-- title_zh: 大量浆膜腔积液伴压迫症状
-- kind:     exclusion
-- reading:  An effusion dated within 2 months is for a clinician to judge.
-- caveats:  Size and compression are not coded.
-- sources:  concept effusion
-- on_fail:  changeable
with doubtful as (
    from events(['effusion'], ['diagnoses'], interval 2 month)
)

select
    p.patient_id,
    unnest(case
        when d.patient_id is not null then to_review('needs_attribution', said_event(d), d.evidence)
        else n.nothing
    end)
from norm.patients as p
left join doubtful as d on p.patient_id = d.patient_id
inner join no_record('diagnoses', ['effusion'], ['effusion'], interval 2 month) as n on p.patient_id = n.patient_id
