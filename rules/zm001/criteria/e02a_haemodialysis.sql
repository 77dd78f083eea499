-- title:    Haemodialysis within 2 months
-- title_zh: 2个月内血液透析
-- kind:     exclusion
-- reading:  Dated within 2 calendar months; an earlier diagnosis that is still active is for a clinician.
-- reading_zh: 日期在2个日历月内；更早的诊断若仍为活动状态，由医生判断。
-- caveats:  Peritoneal dialysis is another treatment.
-- caveats_zh: 腹膜透析是另一种治疗。
-- sources:  concept haemodialysis in diagnoses, procedures within 2 months or active
-- judged:   Whether a diagnosis of dialysis that is older and still active means treatment within 2 months.
-- judged_zh: 较早而仍为活动状态的透析诊断，是否意味着2个月内仍在透析。
-- on_fail:  timed
with recent as (
    from events(['haemodialysis'], ['diagnoses', 'procedures'], interval 2 month)
),

active as (
    select
        c.patient_id,
        c.concept,
        max(c.event_date) as event_date,
        max_by(c.label, {'a': c.event_date, 'b': c.row_id}) as label,
        list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) as evidence
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where c.concept = 'haemodialysis' and c.source_table = 'diagnoses' and c.is_active and c.event_date <= p.as_of
    group by c.patient_id, c.concept
)

select
    p.patient_id,
    case
        when r.patient_id is not null
            then failed(said_event(r), r.evidence, 'timed', leaves_window(r.event_date, interval 2 month))
        when a.patient_id is not null then to_review('needs_attribution', said_event(a), a.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join recent as r on p.patient_id = r.patient_id
left join active as a on p.patient_id = a.patient_id
inner join no_record('diagnoses', ['haemodialysis'], ['haemodialysis'], interval 2 month) as n on p.patient_id = n.patient_id
