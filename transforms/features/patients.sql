-- One row per assessed patient: the facts of the list and of features.parquet. Doses of day D in mg of prednisone-equivalent, null where
-- the bound is not known; weight: the latest within 365 days.
create or replace table feat.patients as
with weighed as (
    select p.patient_id, max_by(w.weight.kg, w.taken_date) as weight_kg
    from norm.patients as p
    inner join feat.weights as w on p.patient_id = w.patient_id and within(w.taken_date, p.as_of, to_days(365))
    group by p.patient_id
)

select
    p.patient_id,
    w.weight_kg,
    s.sledai_high,
    g.oral_low as gc_oral_low,
    g.oral_high as gc_oral_high,
    g.systemic_low as gc_systemic_low,
    g.systemic_high as gc_systemic_high
from norm.patients as p
left join weighed as w on p.patient_id = w.patient_id
left join feat.sledai as s on p.patient_id = s.patient_id
left join feat.gc_timeline as g on p.patient_id = g.patient_id and p.as_of = g.end_date;
