-- One row per assessed patient: the latest recorded SLEDAI-2K total in its window; SLEDAI-2K itself is not derived yet.
create or replace table feat.sledai as
select
    p.patient_id,
    t.latest.number::integer as sledai_recorded,
    t.latest as recorded,
    null::integer as sledai_low,
    null::integer as sledai_high
from norm.patients as p
inner join latest_result('sledai_total', param('sledai_window_days')) as t on p.patient_id = t.patient_id;
