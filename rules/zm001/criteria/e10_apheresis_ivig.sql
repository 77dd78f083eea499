-- title:    Plasma exchange, haemodialysis or IVIG within 14 days before collection
-- title_zh: 采集前14天内血浆置换、血液透析或静注人免疫球蛋白
-- kind:     exclusion
-- reading:  A plasma exchange or haemodialysis, or a day covered by intravenous immunoglobulin, from 14 days before the day of collection to it; without one, day D stands for it.
-- reading_zh: 自采集日前14天至采集日，有血浆置换或血液透析，或有静注人免疫球蛋白覆盖的日子；未给定采集日时以D日代替。
-- caveats:  Rows begun by day D count to the day of collection; what is ordered later is not known.
-- caveats_zh: 截至D日已开始的用药计至采集日；之后开具的医嘱尚不可知。
-- sources:  concepts plasma_exchange, haemodialysis in procedures within 14 days of collection; class ivig within 14 days of collection; derived feat.coverage
-- on_fail:  timed
with done as (
    select
        c.patient_id,
        max(c.event_date) as event_date,
        max_by(c.concept, {'a': c.event_date, 'b': c.row_id, 'c': c.concept}) as concept,
        max_by(c.label, {'a': c.event_date, 'b': c.row_id, 'c': c.concept}) as label,
        list(cite(c.source_table, c.row_id, c.event_date)) as evidence
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where
        c.concept in ('plasma_exchange', 'haemodialysis')
        and c.source_table = 'procedures'
        and within(c.event_date, p.collection_date, to_days(14))
    group by c.patient_id
),

given as (
    select
        c.patient_id,
        max(least(c.last_date, p.collection_date)) as last_date,
        bool_or(c.goes_on) as goes_on,
        max_by(c.ingredient, {'a': c.start_date, 'b': c.medication_id}) as ingredient,
        list(cite('medications', c.medication_id, c.start_date)) as evidence
    from feat.coverage as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where c."class" = 'ivig' and c.is_systemic and c.last_date >= p.collection_date - 14
    group by c.patient_id
),

parts as (
    select
        p.patient_id,
        [
            case
                when d.patient_id is not null then failed(said_event(d), d.evidence, 'timed', d.event_date + 15)
                else np.nothing
            end,
            case
                when g.goes_on then failed(say('drug.goes_on', g.ingredient), g.evidence, 'changeable')
                when g.patient_id is not null
                    then failed(say('drug.last_day', g.ingredient, g.last_date, 14), g.evidence, 'timed', g.last_date + 15)
                else nm.nothing
            end
        ] as parts
    from norm.patients as p
    left join done as d on p.patient_id = d.patient_id
    left join given as g on p.patient_id = g.patient_id
    inner join no_record_before(
        'procedures', ['plasma_exchange', 'haemodialysis'], ['plasma_exchange', 'haemodialysis'], to_days(14), 'collection'
    ) as np on p.patient_id = np.patient_id
    inner join no_medication_before(['ivig'], ['ivig systemic'], to_days(14), 'collection') as nm on p.patient_id = nm.patient_id
)

select patient_id, all_of(parts) as outcome from parts
