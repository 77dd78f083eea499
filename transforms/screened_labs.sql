-- One row per laboratory result, of whatever status and date, that screening looks at: ANA and the rarer tests of the classification.
create or replace table run.screened_labs as
with screened as (
    select distinct m.analyte
    from map.item_measures as m
    inner join map.scored_items as i on m.item_id = i.item_id and m.scheme = i.scheme
    where i.scheme = 'classification' and i.is_screened
),

codes as (
    select r.code, c.analyte
    from (select distinct code from raw.labs where code_system = 'LOINC') as r
    inner join map.analyte_codes as c on upper(trim(r.code)) = c.code
    semi join screened as s on c.analyte = s.analyte
),

names as (
    select t.reported as test_name, t.analyte
    from map.screened_tests as t
    semi join screened as s on t.analyte = s.analyte
),

results as materialized (
    select patient_id, code, test_name, value, unit, ref_low, ref_high
    from raw.labs
    where code in (select code from codes) or test_name in (select test_name from names)
)

select r.patient_id, c.analyte, r.value, r.unit, r.ref_low, r.ref_high
from results as r
inner join codes as c on r.code = c.code
union all
select r.patient_id, n.analyte, r.value, r.unit, r.ref_low, r.ref_high
from results as r
inner join names as n on r.test_name = n.test_name;
