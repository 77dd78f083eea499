-- title:    Transplant, or awaiting one
-- title_zh: 器官或造血干细胞移植史或等待移植
-- kind:     exclusion
-- reading:  Any organ, marrow or stem cell transplant ever, or a place on a waiting list.
-- reading_zh: 任何时间的器官、骨髓或干细胞移植，或在移植等待名单上。
-- caveats:  A corneal graft has codes of its own and is not read.
-- caveats_zh: 角膜移植有单独的编码，不予采用。
-- sources:  concept transplant in diagnoses, procedures ever
-- on_fail:  lasting
with found as (
    from events(['transplant'], ['diagnoses', 'procedures'], null)
)

select
    p.patient_id,
    case
        when f.patient_id is not null then failed(said_event(f), f.evidence, 'lasting')
        else n.nothing
    end as outcome
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
inner join no_record('diagnoses', ['transplant'], ['transplant'], null) as n on p.patient_id = n.patient_id
