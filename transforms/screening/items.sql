-- One row per result of another test of the classification of a patient who may meet the entry criterion.
create or replace table run.screened_rows as
select l.patient_id, l.code, l.test_name, l.value, l.unit, l.ref_low, l.ref_high, l.flag
from pulled.labs as l
semi join run.possible_items as i on l.patient_id = i.patient_id
where
    l.code in (select code from run.screened_tests where not is_entry and code is not null)
    or l.test_name in (select test_name from run.screened_tests where not is_entry and test_name is not null);
