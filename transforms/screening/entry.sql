-- Screening reads what the classification would read, but before the cohort line and generously: neither status nor date nor quarantine,
-- and a number without a limit of its own counts. What it finds is settled by the classification itself.

-- One row per code or local name under which the extract's labs hold a test of the classification.
create or replace table run.screened_tests as
with wanted as (
    select m.analyte, bool_or(i.domain = 'entry') as is_entry
    from map.item_measures as m
    inner join map.scored_items as i on m.item_id = i.item_id and m.scheme = i.scheme
    where i.scheme = 'classification'
    group by m.analyte
)

select w.analyte, w.is_entry, r.code, null as test_name
from (select distinct code from raw.labs where code_system = 'LOINC') as r
inner join map.analyte_codes as c on upper(trim(r.code)) = c.code
inner join wanted as w on c.analyte = w.analyte
union all
select w.analyte, w.is_entry, null, t.reported
from map.local_tests as t
inner join wanted as w on t.analyte = w.analyte;

-- One row per result of the entry criterion of a patient who is not assessed for certain; limits and units are left unread, and a
-- number is taken as high.
create or replace table run.screened_rows as
select patient_id, code, test_name, value, null::varchar as unit, null::double as ref_low, null::double as ref_high, 'H' as flag
from raw.labs
where
    (
        code in (select code from run.screened_tests where is_entry and code is not null)
        or test_name in (select test_name from run.screened_tests where is_entry and test_name is not null)
    )
    and patient_id not in (select patient_id from run.considered);
