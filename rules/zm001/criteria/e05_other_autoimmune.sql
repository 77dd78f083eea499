-- title:    Other autoimmune disease on systemic therapy within 2 years
-- title_zh: 2年内需系统治疗的其他自身免疫病
-- kind:     exclusion
-- reading:  Another autoimmune disease dated within 2 years or still active is for a clinician: is systemic therapy for it needed?
-- caveats:  Secondary Sjögren or antiphospholipid syndrome, thyroiditis and cytopenias belong to lupus.
-- sources:  concept autoimmune_other
-- on_fail:  changeable
with found as (
    select
        c.patient_id,
        c.concept,
        max(c.event_date) as event_date,
        max_by(c.label, {'a': c.event_date, 'b': c.row_id}) as label,
        list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) as evidence
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where
        c.concept = 'autoimmune_other' and c.source_table = 'diagnoses'
        and (c.is_active or within(c.event_date, p.as_of, interval 2 year))
    group by c.patient_id, c.concept
)

select
    p.patient_id,
    unnest(case
        when f.patient_id is not null then to_review('needs_attribution', said_event(f), f.evidence)
        else n.nothing
    end)
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
inner join no_record('diagnoses', ['autoimmune_other'], ['autoimmune_other'], interval 2 year) as n on p.patient_id = n.patient_id
