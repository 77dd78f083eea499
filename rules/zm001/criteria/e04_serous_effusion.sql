-- title:    Massive serous effusion with compression
-- title_zh: 大量浆膜腔积液伴压迫症状
-- kind:     exclusion
-- reading:  An effusion dated within 2 months is for a clinician to judge.
-- reading_zh: 2个月内有浆膜腔积液记录者，由医生判断。
-- caveats:  Size and compression are not coded.
-- caveats_zh: 积液量和压迫症状没有编码。
-- sources:  concept effusion in diagnoses within 2 months
-- judged:   Whether the effusion is massive, compresses, and cannot be controlled by treatment.
-- judged_zh: 积液是否为大量、有压迫症状，且治疗不能控制。
-- on_fail:  changeable
with doubtful as (
    from events(['effusion'], ['diagnoses'], interval 2 month)
)

select
    p.patient_id,
    case
        when d.patient_id is not null then to_review('needs_attribution', said_event(d), d.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join doubtful as d on p.patient_id = d.patient_id
inner join no_record('diagnoses', ['effusion'], ['effusion'], interval 2 month) as n on p.patient_id = n.patient_id
