-- One row per reading of the outpatient record; a blood pressure '120/80' gives a systolic and a diastolic row. A name that the map
-- does not know stays as a LOCAL code with its text.
with readings as (
    select
        o.subject_id,
        try_cast(o.chartdate as date) as observed_at,
        o.result_name,
        o.result_value,
        concat_ws('-', o.subject_id, o.chartdate, trim(regexp_replace(lower(o.result_name), '[^a-z0-9]+', '-', 'g'), '-'), o.seq_num)
            as row_key,
        m.code_system,
        m.code,
        m.second_code,
        m.unit,
        m.result_name is not null as is_known,
        m.second_code is not null as is_pressure,
        regexp_extract(o.result_value, '^(\d{2,3})\s*/\s*(\d{2,3})$', ['systolic', 'diastolic']) as pressure
    from src.omr as o
    left join maps.omr as m on lower(o.result_name) = lower(m.result_name)
),

parts as (
    select
        *,
        is_pressure and pressure['systolic'] <> '' as is_split,
        unnest(case when is_pressure and pressure['systolic'] <> '' then ['-s', '-d'] else [''] end) as part
    from readings
)

select
    row_key || part as observation_id,
    subject_id as patient_id,
    case when is_pressure and not is_split then 'LOCAL' else coalesce(code_system, 'LOCAL') end as code_system,
    case when part = '-d' then second_code when is_pressure and not is_split then result_name else coalesce(code, result_name) end as code,
    observed_at,
    case part when '-s' then pressure['systolic'] when '-d' then pressure['diastolic'] else result_value end as value,
    unit,
    nullif(concat_ws(
        ';',
        case when subject_id is null then 'lost:no_patient' end,
        case when result_name is null then 'lost:no_code' end,
        case when result_value is null then 'lost:no_value' end,
        case when observed_at is null then 'lost:no_date' end,
        case when is_pressure and not is_split then 'blood_pressure_unreadable' end,
        reason(not is_known or code_system = 'LOCAL', 'no_loinc', result_name)
    ), '') as unmapped
from parts
order by patient_id, observed_at, observation_id
