-- title:    Marrow stimulants within 5 days before collection
-- title_zh: 采集前5天内使用造血刺激药物
-- kind:     exclusion
-- reading:  A day covered by a marrow stimulant from 5 days before the day of collection to it; without one, day D stands for it.
-- reading_zh: 自采集日前5天至采集日，有造血刺激药物覆盖的日子；未给定采集日时以D日代替。
-- caveats:  Rows begun by day D count to the day of collection; what is ordered later is not known.
-- caveats_zh: 截至D日已开始的用药计至采集日；之后开具的医嘱尚不可知。
-- sources:  class marrow_stimulant within 5 days of collection; derived feat.coverage
-- on_fail:  timed
with given as (
    select
        c.patient_id,
        max(least(c.last_date, p.collection_date)) as last_date,
        bool_or(c.goes_on) as goes_on,
        max_by(c.ingredient, {'a': c.start_date, 'b': c.medication_id}) as ingredient,
        list(cite('medications', c.medication_id, c.start_date)) as evidence
    from feat.coverage as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where c."class" = 'marrow_stimulant' and c.is_systemic and c.last_date >= p.collection_date - 5
    group by c.patient_id
)

select
    p.patient_id,
    case
        when g.goes_on then failed(say('drug.goes_on', g.ingredient), g.evidence, 'changeable')
        when g.patient_id is not null then failed(say('drug.last_day', g.ingredient, g.last_date, 5), g.evidence, 'timed', g.last_date + 6)
        else n.nothing
    end as outcome
from norm.patients as p
left join given as g on p.patient_id = g.patient_id
inner join no_medication_before(['marrow_stimulant'], ['marrow_stimulant systemic'], to_days(5), 'collection') as n
    on p.patient_id = n.patient_id
