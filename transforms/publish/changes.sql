-- What differs between the run before (pub.before_features, pub.before_verdicts) and this one, for patients listed in either.

-- One row per such patient: a tier is told where the patient was listed or excluded, else it is null.
create or replace table pub.moves as
select
    coalesce(n.patient_id, b.patient_id) as patient_id,
    b.patient_id is not null as was_assessed,
    n.patient_id is not null as is_assessed,
    coalesce(b.listed, false) as was_listed,
    coalesce(n.listed, false) as is_listed,
    case when b.listed or b.tier = 'excluded' then b.tier end as from_tier,
    case when n.listed or n.tier = 'excluded' then n.tier end as to_tier,
    b.as_of as from_day,
    n.as_of as to_day
from pub.before_features as b
full join pub.features as n on b.patient_id = n.patient_id
where b.listed or n.listed;

-- One row per verdict of a patient assessed in both runs. A fail that becomes lasting, or ceases to be, moves the tier like another verdict.
create or replace table pub.both_verdicts as
select
    m.patient_id,
    coalesce(n.item_id, b.item_id) as item_id,
    coalesce(n.criterion_id, b.criterion_id) as criterion_id,
    n.position,
    i.item_id is not null as is_leaf,
    m.from_day,
    m.to_day,
    b.verdict as from_verdict,
    n.verdict as to_verdict,
    (
        {'verdict': b.verdict, 'is_lasting': b.fail_kind = 'lasting'}
        is distinct from {'verdict': n.verdict, 'is_lasting': n.fail_kind = 'lasting'}
    ) as is_flipped,
    b.basis as from_basis,
    b.reason_code as from_reason_code,
    n.reason_code as to_reason_code,
    b.next_date as from_next_date,
    b.evidence as from_evidence,
    n.evidence as to_evidence,
    n.fail_kind as to_fail_kind,
    n.reason as to_reason
from pub.moves as m
inner join (
    select patient_id, item_id from pub.before_verdicts union select patient_id, item_id from pub.verdict_rows
) as k on m.patient_id = k.patient_id
left join pub.before_verdicts as b on k.patient_id = b.patient_id and k.item_id = b.item_id
left join pub.verdict_rows as n on k.patient_id = n.patient_id and k.item_id = n.item_id
left join run.items as i on k.item_id = i.item_id
where m.was_assessed and m.is_assessed;

-- One row per flipped item. A criterion with sub-items flips of its own where none of these flipped, or where in either run its verdict is
-- not theirs put together (a chart review of the criterion). An empty item_id: a disposition took the patient off the list, or back on it.
create or replace table pub.flips as
with put_together as (
    select
        patient_id,
        criterion_id,
        worst_of(list(from_verdict)) as from_verdict,
        worst_of(list(to_verdict)) as to_verdict,
        bool_or(is_flipped) as is_flipped
    from pub.both_verdicts
    where is_leaf
    group by patient_id, criterion_id
)

select v.* exclude (is_flipped)
from pub.both_verdicts as v
left join put_together as t on v.patient_id = t.patient_id and v.criterion_id = t.criterion_id
where
    v.is_flipped
    and (v.is_leaf or not t.is_flipped or t.from_verdict <> v.from_verdict or t.to_verdict <> v.to_verdict)
union all by name
select
    m.patient_id, '' as item_id, '' as criterion_id, -1 as position, false as is_leaf, m.from_day, m.to_day,
    case when d.disposition_id is null then [] else ['dispositions:' || d.disposition_id] end as to_evidence
from pub.moves as m
left join norm.dispositions as d on m.patient_id = d.patient_id
where
    m.was_assessed and m.is_assessed and m.was_listed <> m.is_listed
    and case when m.is_listed then m.from_tier else m.to_tier end is distinct from 'excluded';
