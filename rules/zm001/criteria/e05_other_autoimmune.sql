-- title:    Other autoimmune disease on systemic therapy within 2 years
-- title_zh: 2年内需系统治疗的其他自身免疫病
-- kind:     exclusion
-- reading:  Another autoimmune disease dated within 2 years or still active is for a clinician: is systemic therapy for it needed?
-- reading_zh: 2年内或仍为活动状态的其他自身免疫病，由医生判断：是否需要对其进行系统治疗？
-- caveats:  Secondary Sjögren or antiphospholipid syndrome, thyroiditis and cytopenias belong to lupus.
-- caveats_zh: 继发性干燥综合征、继发性抗磷脂综合征、甲状腺炎和血细胞减少归属于狼疮。
-- sources:  concept autoimmune_other in diagnoses within 2 years or active
-- judged:   Whether the disease is active and needs systemic immunosuppressive therapy of its own.
-- judged_zh: 该病是否活动，是否需要针对其本身的系统性免疫抑制治疗。
-- on_fail:  changeable
with found as (
    from events_or_active(['autoimmune_other'], ['diagnoses'], interval 2 year)
)

select
    p.patient_id,
    case
        when f.patient_id is not null then to_review('needs_attribution', said_event(f), f.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
inner join no_record('diagnoses', ['autoimmune_other'], ['autoimmune_other'], interval 2 year) as n on p.patient_id = n.patient_id
