-- One row per coded diagnosis of a stay. The codes are given at discharge, so recorded_date is the day of discharge; when the disease
-- began is not known.
with coded as (
    select
        d.*,
        d.hadm_id || '-' || d.seq_num as row_key,
        coalesce(try_cast(a.dischtime as timestamp), try_cast(a.admittime as timestamp))::date as recorded_date,
        try_cast(a.dischtime as timestamp) is null as has_no_discharge
    from src.diagnoses_icd as d
    left join src.admissions as a on d.hadm_id = a.hadm_id
),

numbered as (
    select
        *,
        row_number() over (partition by row_key order by icd_version, icd_code, subject_id) as nth
    from coded
)

select
    row_key || case when nth > 1 then '-' || nth else '' end as diagnosis_id,
    subject_id as patient_id,
    case icd_version when '9' then 'ICD9CM' when '10' then 'ICD10CM' else 'LOCAL' end as code_system,
    icd_code as code,
    recorded_date,
    null::varchar as status,
    nullif(concat_ws(
        ';',
        case when row_key is null then 'lost:no_id' end,
        case when subject_id is null then 'lost:no_patient' end,
        case when icd_code is null then 'lost:no_code' end,
        case when recorded_date is null then 'lost:no_date' end,
        case when has_no_discharge and recorded_date is not null then 'no_discharge' end,
        reason(icd_version is null or icd_version not in ('9', '10'), 'version_unknown', icd_version)
    ), '') as unmapped
from numbered
order by patient_id, recorded_date, diagnosis_id
