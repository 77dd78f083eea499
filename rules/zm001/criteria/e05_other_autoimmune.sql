-- title:    Other autoimmune disease on systemic therapy within 2 years
-- title_zh: 2年内需系统治疗的其他自身免疫病
-- kind:     exclusion
-- reading:  Another autoimmune disease dated within 2 years or still active is for a clinician: is systemic therapy for it needed?
-- caveats:  Secondary Sjögren or antiphospholipid syndrome, thyroiditis and cytopenias belong to lupus.
-- sources:  concept autoimmune_other
-- on_fail:  changeable
with recent as (
    from events(['autoimmune_other'], ['diagnoses'], interval 2 year)
),

active as (
    select
        patient_id,
        concept,
        max(event_date) as event_date,
        max_by(label, {'a': event_date, 'b': row_id}) as label,
        list(cite(source_table, row_id, event_date, known_date)) as evidence
    from norm.conditions
    where concept = 'autoimmune_other' and source_table = 'diagnoses' and is_active
    group by patient_id, concept
)

select
    p.patient_id,
    unnest(case
        when r.patient_id is not null then to_review('needs_attribution', said_event(r), r.evidence)
        when a.patient_id is not null then to_review('needs_attribution', said_event(a), a.evidence)
        else n.nothing
    end)
from norm.patients as p
left join recent as r on p.patient_id = r.patient_id
left join active as a on p.patient_id = a.patient_id
inner join no_record('diagnoses', ['autoimmune_other'], ['autoimmune_other'], interval 2 year) as n on p.patient_id = n.patient_id
