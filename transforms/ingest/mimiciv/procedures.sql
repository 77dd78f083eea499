-- One row per coded procedure.
with numbered as (
    select
        *,
        hadm_id || '-' || seq_num as row_key,
        try_cast(chartdate as date) as performed_date,
        row_number() over (partition by hadm_id, seq_num order by icd_version, icd_code, chartdate, subject_id) as nth
    from src.procedures_icd
)

select
    row_key || case when nth > 1 then '-' || nth else '' end as procedure_id,
    subject_id as patient_id,
    case icd_version when '9' then 'ICD9CM' when '10' then 'ICD10PCS' else 'LOCAL' end as code_system,
    icd_code as code,
    performed_date,
    nullif(concat_ws(
        ';',
        case when row_key is null then 'lost:no_id' end,
        case when subject_id is null then 'lost:no_patient' end,
        case when icd_code is null then 'lost:no_code' end,
        case when performed_date is null then 'lost:no_date' end,
        reason(icd_version is null or icd_version not in ('9', '10'), 'version_unknown', icd_version)
    ), '') as unmapped
from numbered
order by patient_id, performed_date, procedure_id
