-- SLEDAI-2K: the 24 descriptors in their window, the bounds of the score, and the recorded total (protocol §3.2).

-- One row per assessed patient and descriptor.
create or replace table feat.sledai_items as
from item_states('sledai', param('sledai_window_days'));

-- One row per assessed patient: what the descriptors prove and what they leave possible, and the latest recorded total.
create or replace table feat.sledai as
with bounds_of as (
    select
        patient_id,
        coalesce(sum(weight) filter (where state = 'present'), 0)::integer as sledai_low,
        coalesce(sum(weight) filter (where state <> 'absent'), 0)::integer as sledai_high
    from feat.sledai_items
    group by patient_id
)

select
    t.patient_id,
    t.latest.number::integer as sledai_recorded,
    t.latest as recorded,
    t.nothing as nothing_recorded,
    b.sledai_low,
    b.sledai_high
from latest_result('sledai_total', param('sledai_window_days')) as t
inner join bounds_of as b on t.patient_id = b.patient_id;

-- One row per assessed patient and descriptor or classification item, in protocol order.
create or replace view feat.descriptors as
select patient_id, item_id, state, weight, reason_code, evidence, evidence_date, position from feat.sledai_items
union all
select patient_id, item_id, state, weight, reason_code, evidence, evidence_date, position
from feat.classification_items
where domain <> 'entry';
