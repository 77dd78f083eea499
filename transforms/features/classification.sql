-- The 2019 EULAR/ACR classification: items and domains ever up to day D (protocol §3.3).

-- One row per considered patient and item; ANA, the entry criterion, is a row of its own with the domain entry.
create or replace table feat.classification_items as
with states as (
    from item_states('classification', null)
),

both_low as (
    select patient_id, told, evidence, evidence_date from states where item_id = 'C-low-both' and state = 'present'
)

select
    s.* replace (
        case when b.patient_id is not null then 'present' else s.state end as state,
        case when b.patient_id is null then s.reason_code end as reason_code,
        coalesce(b.told, s.told) as told,
        coalesce(b.evidence, s.evidence) as evidence,
        coalesce(b.evidence_date, s.evidence_date) as evidence_date
    )
from states as s
left join both_low as b on s.patient_id = b.patient_id and s.item_id = 'C-low-one' and s.state <> 'present';

-- One row per considered patient: points proven (class_low) and possible (class_high), whether the classification is met, and of a met
-- one the rows of the items that counted, the newest date among them, and those of ANA.
create or replace table feat.classification as
with domains as (
    select
        patient_id,
        domain,
        is_clinical,
        max(weight) filter (where state = 'present') as low,
        max(weight) filter (where state <> 'absent') as high
    from feat.classification_items
    where domain <> 'entry'
    group by patient_id, domain, is_clinical
),

summed as (
    select
        d.patient_id,
        case
            when any_value(e.state) = 'present' and bool_or(d.is_clinical and d.low is not null) then coalesce(sum(d.low), 0) else 0
        end::integer as class_low,
        case
            when any_value(e.state) <> 'absent' and bool_or(d.is_clinical and d.high is not null) then coalesce(sum(d.high), 0) else 0
        end::integer as class_high,
        any_value(e.evidence) as entry_evidence
    from domains as d
    inner join feat.classification_items as e on d.patient_id = e.patient_id and e.domain = 'entry'
    group by d.patient_id
),

counted as (
    select
        i.patient_id,
        flatten(list(i.evidence order by i.position)) as evidence,
        list({'item_id': i.item_id, 'weight': i.weight, 'told': i.told} order by i.position) as items
    from feat.classification_items as i
    inner join domains as d on i.patient_id = d.patient_id and i.domain = d.domain
    where i.state = 'present' and i.weight = d.low
    group by i.patient_id
)

select
    s.patient_id,
    s.class_low,
    s.class_high,
    s.class_low >= points_to_be_met() as is_met,
    case when s.class_low >= points_to_be_met() then c.evidence || s.entry_evidence else [] end as evidence,
    case when s.class_low >= points_to_be_met() then newest(c.evidence) end as evidence_date,
    coalesce(c.items, []) as counted_items
from summed as s
left join counted as c on s.patient_id = c.patient_id;
