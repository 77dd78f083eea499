-- Patients who were listed by the run before and are not assessed any more: whether the extract still has them, and what became of the rows
-- that led into the cohort.

-- One row per such patient; state: withdrawn or quarantined where the patient's own row is. leads: what became of each row that led in.
create or replace table pub.gone as
with patients as (
    select patient_id from pub.moves where was_listed and not is_assessed
),

led_in as (
    select e.*
    from pub.before_events as e
    inner join patients as p on e.patient_id = p.patient_id
    where
        e.state = 'used'
        and (
            (e."table" = 'diagnoses' and list_contains(e.names, 'sle'))
            or (e."table" = 'chart_reviews' and list_contains(e.names, 'I01'))
        )
),

rows_now as (
    select
        d.patient_id, 'diagnoses' as "table", d.diagnosis_id as row_id, d.recorded_date as known_date,
        d.violations <> [] or left_out(d.status) as is_out
    from raw.diagnoses as d
    inner join patients as p on d.patient_id = p.patient_id
    union all
    select r.patient_id, 'chart_reviews', r.review_id, r.reviewed_date, r.violations <> [] or r.answer <> 'yes'
    from raw.chart_reviews as r
    inner join patients as p on r.patient_id = p.patient_id
),

patients_now as (
    select r.patient_id, r.as_of, r.violations
    from raw.patients as r
    inner join patients as p on r.patient_id = p.patient_id
),

judged as (
    select
        l.patient_id,
        l."table" || ':' || l.row_id as ref,
        l.reported,
        l.event_date,
        case
            when n.row_id is null then 'withdrawn'
            when n.is_out then 'changed'
            when n.known_date > p.as_of then 'late'
            when l."table" = 'chart_reviews' then 'over'
        end as how
    from led_in as l
    inner join patients_now as p on l.patient_id = p.patient_id
    left join rows_now as n on l.patient_id = n.patient_id and l."table" = n."table" and l.row_id = n.row_id
),

gathered as (
    select
        patient_id,
        list({'how': how, 'ref': ref, 'said': ref || ' (' || reported || ', ' || event_date || ')'} order by ref) as leads
    from judged
    where how is not null
    group by patient_id
)

select
    p.patient_id,
    case when n.patient_id is null then 'withdrawn' when n.violations <> [] then 'quarantined' end as state,
    coalesce(g.leads, []) as leads
from patients as p
left join patients_now as n on p.patient_id = n.patient_id
left join gathered as g on p.patient_id = g.patient_id;
