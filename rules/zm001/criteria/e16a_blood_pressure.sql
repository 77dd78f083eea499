-- title:    Uncontrolled blood pressure
-- title_zh: 血压未控制
-- kind:     exclusion
-- reading:  Over 160 systolic or over 90 diastolic on both of the two latest days with a reading within 90 days; a day counts by its lowest values.
-- reading_zh: 90天内最近两个有读数的日子，均为收缩压>160 mmHg或舒张压>90 mmHg；每日取最低值。
-- caveats:  A single high day is for a clinician; treatment is not looked at.
-- caveats_zh: 仅一天升高者由医生判断；不考虑是否正在治疗。
-- sources:  analytes systolic, diastolic within 90 days
-- judged:   One high day of the two, or a single high day: whether the blood pressure is uncontrolled under treatment.
-- judged_zh: 两日中一日升高，或仅有一日且升高时：治疗下血压是否未控制。
-- on_fail:  changeable
with readings as (
    select r.patient_id, r.analyte, r.taken_date, r.interval_, r.number, r.row_id, r.cause, r.taken_date >= p.as_of - 90 as is_in_window
    from norm.results as r
    inner join norm.patients as p on r.patient_id = p.patient_id
    where r.analyte in ('systolic', 'diastolic')
),

lowest as (
    select
        patient_id,
        analyte,
        taken_date,
        {
            'low': min(interval_.low),
            'high': min(interval_.high),
            'is_low_open': min_by(interval_.is_low_open, {'a': interval_.low, 'b': interval_.is_low_open}),
            'is_high_open': min_by(interval_.is_high_open, {'a': interval_.high, 'b': not interval_.is_high_open})
        } as interval_,
        min(number) as number,
        list(cite('observations', row_id, taken_date)) as evidence
    from readings
    where is_in_window and cause is null
    group by patient_id, analyte, taken_date
),

days as (
    select
        patient_id,
        taken_date,
        case
            when bool_or(greater(interval_, case analyte when 'systolic' then 160 else 90 end)) then true
            when bool_and(coalesce(not greater(interval_, case analyte when 'systolic' then 160 else 90 end), false)) then false
        end as is_high,
        string_agg(number::integer::varchar, '/' order by analyte desc) as shown,
        flatten(list(evidence)) as evidence
    from lowest
    group by patient_id, taken_date
    qualify row_number() over (partition by patient_id order by taken_date desc) <= 2
),

two as (
    select
        patient_id,
        count(*) as day_count,
        count(*) filter (where is_high) as high_count,
        count(*) filter (where not is_high) as normal_count,
        say('pressure.days', string_agg(shown || ' (' || taken_date || ')', '; ' order by taken_date desc)) as reason,
        flatten(list(evidence)) as evidence
    from days
    group by patient_id
)

select
    s.patient_id,
    case
        when t.high_count = 2 then failed(t.reason, t.evidence, 'changeable')
        when t.normal_count = t.day_count then passed(t.reason, t.evidence)
        when t.high_count >= 1 and t.high_count + t.normal_count = t.day_count then to_review('conflicting_data', t.reason, t.evidence)
        when t.patient_id is not null then undecided('censored', t.reason, t.evidence)
        else settle([s.nothing, d.nothing])
    end as outcome
from latest_result('systolic', 90) as s
inner join latest_result('diastolic', 90) as d on s.patient_id = d.patient_id
left join two as t on s.patient_id = t.patient_id
