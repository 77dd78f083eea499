-- title:    Other investigational drug within 4 weeks
-- title_zh: 4周内使用其他试验用药
-- kind:     exclusion
-- reading:  A day within 28 days covered by an investigational product, by any route.
-- reading_zh: 28天内有任何一天被试验用药覆盖，不限途径。
-- caveats:  Drugs of other trials are rarely in the hospital's orders; half-lives are for the investigator.
-- caveats_zh: 其他试验的用药很少出现在医院医嘱中；半衰期由研究者判断。
-- sources:  class investigational within 28 days; derived feat.coverage
-- judged:   Whether the drug did not work or the disease progressed, and 3 half-lives have passed, so that enrolment is allowed within 4 weeks.
-- judged_zh: 是否因治疗无效或疾病进展且已超过3个半衰期，从而允许在4周内入组。
-- on_fail:  timed
with used as (
    select
        c.patient_id,
        max(least(c.last_date, p.as_of)) as last_date,
        bool_or(c.goes_on) as goes_on,
        max_by(c.ingredient, {'a': c.start_date, 'b': c.medication_id}) as ingredient,
        list(cite('medications', c.medication_id, c.start_date)) as evidence
    from feat.coverage as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where c."class" = 'investigational' and c.last_date >= p.as_of - 28
    group by c.patient_id
)

select
    p.patient_id,
    case
        when u.goes_on then failed(say('drug.goes_on', u.ingredient), u.evidence, 'changeable')
        when u.patient_id is not null then failed(say('drug.last_day', u.ingredient, u.last_date, 28), u.evidence, 'timed', u.last_date + 29)
        else n.nothing
    end as outcome
from norm.patients as p
left join used as u on p.patient_id = u.patient_id
inner join no_medication(['investigational'], to_days(28), 'any') as n on p.patient_id = n.patient_id
