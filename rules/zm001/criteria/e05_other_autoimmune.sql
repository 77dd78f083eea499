-- title:    Other autoimmune disease on systemic therapy within 2 years
-- title_zh: 2年内需系统治疗的其他自身免疫病
-- kind:     exclusion
-- reading:  Another autoimmune disease dated within 2 years or still active is for a clinician: is systemic therapy for it needed?
-- caveats:  Secondary Sjögren or antiphospholipid syndrome, thyroiditis and cytopenias belong to lupus.
-- sources:  concept autoimmune_other
-- on_fail:  changeable
with found as (
    from events_or_active(['autoimmune_other'], ['diagnoses'], interval 2 year)
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
