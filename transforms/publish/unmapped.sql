-- One row per code or name of the assessed patients' usable rows that mapped to nothing, with how many rows and patients it has.
create or replace table pub.unmapped as
select 'diagnoses' as "table", d.code_system, d.code, min(d.display) as text, count(*) as "rows", count(distinct d.patient_id) as patients
from norm.diagnoses as d
anti join norm.conditions as c on c.source_table = 'diagnoses' and d.diagnosis_id = c.row_id
group by d.code_system, d.code
union all
select 'procedures', d.code_system, d.code, min(d.display), count(*), count(distinct d.patient_id)
from norm.procedures as d
anti join norm.conditions as c on c.source_table = 'procedures' and d.procedure_id = c.row_id
group by d.code_system, d.code
union all
select 'immunizations', d.code_system, d.code, min(d.display), count(*), count(distinct d.patient_id)
from norm.immunizations as d
anti join norm.conditions as c on c.source_table = 'immunizations' and d.immunization_id = c.row_id
group by d.code_system, d.code
union all
select 'medications', d.code_system, d.code, d.drug_name, count(*), count(distinct d.patient_id)
from norm.medication_rows as d
anti join norm.medications as m on d.medication_id = m.medication_id
group by d.code_system, d.code, d.drug_name
union all
select 'labs', d.code_system, d.code, min(d.test_name), count(*), count(distinct d.patient_id)
from pulled.labs as d
anti join norm.test_analytes as t
    on t.source_table = 'labs' and d.code_system = t.code_system and d.code = t.code
    and t.test_name is not distinct from case when d.code_system = 'LOCAL' then d.test_name end
where d.violations = []
group by d.code_system, d.code, case when d.code_system = 'LOCAL' then d.test_name end
union all
select 'observations', d.code_system, d.code, null, count(*), count(distinct d.patient_id)
from pulled.observations as d
anti join norm.test_analytes as t on t.source_table = 'observations' and d.code_system = t.code_system and d.code = t.code
where d.violations = []
group by d.code_system, d.code
union all
select "table", 'read as ' || reason, null, term, "rows", null
from run.door_terms;
