-- One row per screened result under each analyte that its code or local name may stand for.
create or replace table run.screened_results as
select l.patient_id, t.analyte, l.value, l.unit, l.ref_low, l.ref_high, l.flag
from run.screened_rows as l
inner join run.screened_tests as t on l.code = t.code
union all
select l.patient_id, t.analyte, l.value, l.unit, l.ref_low, l.ref_high, l.flag
from run.screened_rows as l
inner join run.screened_tests as t on l.test_name = t.test_name;
