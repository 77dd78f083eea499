-- One row per patient. The age is known in whole years at the anchor year, so birth_year = anchor_year - anchor_age (an age above 89
-- is recorded as 91). Day D is the day of the patient's last event: the last lab, admission or discharge, order that began, emar entry,
-- procedure or omr reading; without any, the last day of the anchor year.
with events as (
    select
        patient_id,
        max(collected_at)::date as last_date
    from native.labs
    group by patient_id
    union all
    select
        patient_id,
        max(start_date) as last_date
    from native.medications
    where status is distinct from 'cancelled' or kind = 'administration'
    group by patient_id
    union all
    select
        patient_id,
        max(performed_date) as last_date
    from native.procedures
    group by patient_id
    union all
    select
        patient_id,
        max(observed_at)::date as last_date
    from native.observations
    group by patient_id
    union all
    select
        subject_id as patient_id,
        max(greatest(try_cast(admittime as timestamp), try_cast(dischtime as timestamp)))::date as last_date
    from src.admissions
    group by subject_id
),

last_events as (
    select
        patient_id,
        max(last_date) as last_date
    from events
    group by patient_id
),

people as (
    select
        p.subject_id as patient_id,
        case upper(p.gender) when 'F' then 'female' when 'M' then 'male' else 'unknown' end as sex,
        try_cast(p.anchor_year as integer) - try_cast(p.anchor_age as integer) as birth_year,
        try_cast(p.anchor_age as integer) as anchor_age,
        try_cast(p.anchor_year as integer) as anchor_year,
        try_cast(p.dod as date) as death_date,
        p.dod,
        e.last_date
    from src.patients as p
    left join last_events as e on p.subject_id = e.patient_id
)

select
    patient_id,
    sex,
    birth_year,
    death_date,
    coalesce(last_date, make_date(anchor_year, 12, 31)) as index_date,
    nullif(concat_ws(
        ';',
        case when patient_id is null then 'lost:no_patient' end,
        case when sex = 'unknown' then 'sex_unknown' end,
        case when birth_year is null then 'no_birth_year' end,
        case when anchor_age > 89 then 'age_above_89' end,
        case when dod is not null and death_date is null then 'death_date_unreadable' end,
        case when last_date is null then 'no_event' end
    ), '') as unmapped
from people
order by patient_id
