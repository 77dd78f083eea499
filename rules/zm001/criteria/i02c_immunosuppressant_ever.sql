-- title:    Immunosuppressant of the list ever used
-- title_zh: 曾使用所列免疫抑制剂
-- kind:     inclusion
-- reading:  Any systemic exposure that began by day D, taken as needed or not.
-- reading_zh: 截至D日已开始的任何全身用药，按需使用者也计入。
-- caveats:  Treatment before the extract begins is not seen.
-- caveats_zh: 数据起始日期之前的治疗无法看到。
-- sources:  class immunosuppressant ever
-- on_fail:  changeable
with used as (
    select
        patient_id,
        max(start_date) as start_date,
        max_by(ingredient, {'a': start_date, 'b': medication_id}) as ingredient,
        list(cite('medications', medication_id, start_date)) as evidence
    from norm.medications
    where "class" = 'immunosuppressant' and route_group <> 'local'
    group by patient_id
)

select
    p.patient_id,
    case
        when u.patient_id is not null then passed(say('drug.given', u.ingredient, u.start_date), u.evidence)
        when n.nothing.verdict = 'pass' then absent_fail(n.nothing.reason, 'changeable')
        else n.nothing
    end as outcome
from norm.patients as p
left join used as u on p.patient_id = u.patient_id
inner join no_medication(['immunosuppressant'], null, 'systemic') as n on p.patient_id = n.patient_id
