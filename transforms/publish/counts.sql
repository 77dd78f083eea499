-- The cohort counted: how many each criterion leaves, and how completely each item is decided.

-- The funnel: everyone in the extract, the cohort, then criterion by criterion; remaining = no criterion so far fails.
create or replace table pub.funnel as
with criteria as (
    select criterion_id, row_number() over (order by min(position)) as place from run.items group by criterion_id
),

judged as (
    select v.patient_id, c.place, v.verdict
    from criteria as c
    inner join pub.verdicts as v on c.criterion_id = v.item_id
),

patients as (
    select
        patient_id,
        min(place) filter (where verdict = 'fail') as first_fail,
        count(*) filter (where verdict = 'fail') as fails
    from judged
    group by patient_id
),

by_criterion as (
    select
        j.place,
        count(*) filter (where j.verdict = 'fail') as failed,
        count(*) filter (where j.verdict in ('review', 'unknown')) as unknown,
        count(*) filter (where j.verdict = 'fail' and p.fails = 1) as only_failing_here
    from judged as j
    inner join patients as p on j.patient_id = p.patient_id
    group by j.place
)

select 0 as step, null as item_id, 'step.extract' as title_key, (select count(distinct patient_id) from raw.patients) as remaining,
    null::bigint as failed, null::bigint as unknown, null::bigint as only_failing_here
union all
select 1, null, 'step.cohort', (select count(*) from norm.patients), null, null, null
union all
select
    1 + c.place,
    c.criterion_id,
    'criterion.' || c.criterion_id,
    (select count(*) from patients as p where p.first_fail is null or p.first_fail > c.place),
    coalesce(b.failed, 0),
    coalesce(b.unknown, 0),
    coalesce(b.only_failing_here, 0)
from criteria as c
left join by_criterion as b on c.place = b.place;

-- One row per item: assessed patients by verdict, the decided ones by what decides them, the undecided ones by cause.
create or replace table pub.completeness as
select
    i.item_id,
    'title.' || i.item_id as title_key,
    count(v.patient_id) as patients,
    count(*) filter (where v.verdict = 'pass') as pass,
    count(*) filter (where v.verdict = 'fail') as fail,
    count(*) filter (where v.verdict = 'review') as review,
    count(*) filter (where v.verdict = 'unknown') as unknown,
    count(*) filter (where v.verdict in ('pass', 'fail') and v.basis = 'data') as by_data,
    count(*) filter (where v.verdict in ('pass', 'fail') and v.basis = 'chart') as by_chart,
    count(*) filter (where v.verdict in ('pass', 'fail') and v.basis = 'absence') as by_absence,
    count(*) filter (where v.reason_code = 'needs_attribution') as needs_attribution,
    count(*) filter (where v.reason_code = 'conflicting_data') as conflicting_data,
    count(*) filter (where v.reason_code = 'dose_below_standard') as dose_below_standard,
    count(*) filter (where v.reason_code = 'dose_unknown') as dose_unknown,
    count(*) filter (where v.reason_code = 'censored') as censored,
    count(*) filter (where v.reason_code = 'unusable_data') as unusable_data,
    count(*) filter (where v.reason_code = 'unmapped_data') as unmapped_data,
    count(*) filter (where v.reason_code = 'stale_data') as stale_data,
    count(*) filter (where v.reason_code = 'missing_data') as missing_data,
    count(*) filter (where v.reason_code = 'table_absent') as table_absent,
    count(*) filter (where v.reason_code = 'judgement') as judgement,
    count(*) filter (where v.basis = 'not_applicable') as not_applicable,
    i.position
from run.items as i
left join pub.verdicts as v on i.item_id = v.item_id
group by i.item_id, i.position;
