-- title:    Glucocorticoid of 1.5 mg/kg/day or more for 14 days within 2 months
-- title_zh: 2个月内糖皮质激素≥1.5 mg/kg/日持续≥14天
-- kind:     exclusion
-- reading:  14 or more consecutive days, one of them within 2 calendar months, on each of which the systemic prednisone-equivalent is at least 1.5 mg per kg of the latest weight within 365 days; days count one by one, a pulse is not averaged.
-- reading_zh: 连续≥14天（其中至少一天在2个日历月内），每天的全身用糖皮质激素泼尼松等效剂量均≥1.5 mg/kg（按365天内最近一次体重）；逐日计算，冲击剂量不作平均。
-- caveats:  Without a weight only doses below 60 mg are certain not to reach it.
-- caveats_zh: 无体重记录时，只有低于60 mg的剂量可确定未达到该界限。
-- sources:  class glucocorticoid within 2 months 13 days; analyte body_weight within 365 days; analyte body_weight for doses per kg; derived feat.doses
-- on_fail:  timed
with patients as (
    select p.patient_id, p.as_of, window_start(p.as_of, interval 2 month) as first_day, w.latest as weight, w.nothing as no_weight
    from norm.patients as p
    inner join latest_result('body_weight', 365) as w on p.patient_id = w.patient_id
),

doses as (
    select
        d.run_no,
        d.patient_id,
        p.first_day,
        p.as_of,
        greatest(d.start_date, p.first_day - 13) as start_date,
        d.end_date,
        d.high_mg > 0 as holds_drug,
        p.weight is not null and round(d.low_mg / p.weight.interval_.high, 9) >= 1.5 as is_high,
        case
            when p.weight is null then d.high_mg >= 60
            else coalesce(round(d.high_mg / nullif(p.weight.interval_.low, 0), 9) >= 1.5, d.high_mg > 0)
        end as may_be_high
    from feat.doses as d
    inner join patients as p on d.patient_id = p.patient_id
    where d.drug = 'glucocorticoid' and d.end_date >= p.first_day - 13
),

marked as (
    select
        *,
        (start_date - 1 is distinct from lag(end_date) over (partition by patient_id, sort order by start_date)) as is_new
    from (
        select *, 'high' as sort from doses where is_high
        union all
        select *, 'may be high' as sort from doses where may_be_high
    )
),

numbered as (
    select *, sum(is_new::integer) over (partition by patient_id, sort order by start_date rows unbounded preceding) as stretch
    from marked
),

stretches as (
    select patient_id, sort, min(start_date) as start_date, max(end_date) as end_date, list(run_no) as run_nos
    from numbered
    group by patient_id, sort, stretch, first_day
    having max(end_date) - min(start_date) + 1 >= 14 and max(end_date) >= first_day
),

found as (
    select
        patient_id,
        max_by(start_date, end_date) filter (where sort = 'high') as start_date,
        max(end_date) filter (where sort = 'high') as end_date,
        bool_or(sort = 'may be high') as may_be_high
    from stretches
    group by patient_id
),

-- The rows that make the doses of the days in question; whether those of day D are taken on.
contributing as (
    select
        d.patient_id,
        list(cite('medications', m.medication_id, m.start_date)) filter (where h.run_no is not null) as high_rows,
        list(cite('medications', m.medication_id, m.start_date)) filter (where d.end_date >= d.first_day) as evidence,
        bool_or(d.end_date = d.as_of and (m.last_date > m.as_of or (m.is_open and m.last_date = m.as_of))) as goes_on
    from doses as d
    inner join feat.dose_rows as r on d.run_no = r.run_no and r.is_counted
    inner join feat.row_doses as m on r.row_no = m.row_no
    left join (select unnest(run_nos) as run_no from stretches where sort = 'high') as h on d.run_no = h.run_no
    group by d.patient_id
)

select
    p.patient_id,
    case
        when f.end_date is not null and c.goes_on
            then failed(say('dose.high', f.start_date, f.end_date, shown(p.weight)), c.high_rows, 'changeable')
        when f.end_date is not null
            then failed(
                say('dose.high', f.start_date, f.end_date, shown(p.weight)),
                c.high_rows,
                'timed',
                leaves_window(f.end_date, interval 2 month)
            )
        when f.may_be_high and p.weight is null then p.no_weight
        when f.may_be_high then undecided('dose_unknown', say('dose.may_be_high', shown(p.weight)), c.evidence)
        when n.nothing.verdict <> 'pass' then n.nothing
        when c.evidence is null then absent(say('dose.not_high'))
        else passed(say('dose.not_high'), c.evidence)
    end as outcome
from patients as p
left join found as f on p.patient_id = f.patient_id
left join contributing as c on p.patient_id = c.patient_id
inner join no_medication_before(['glucocorticoid'], ['glucocorticoid dose'], interval '2 months 13 days', 'day D') as n
    on p.patient_id = n.patient_id
