-- Items and criteria: one row per assessed patient and item, and one per criterion that has sub-items and all of them evaluated.
create or replace table pub.verdicts as
with whole as (
    select criterion_id, max(kind) as kind, min(position) as position, list(item_id order by position) as item_ids
    from run.items
    group by criterion_id
    having count(*) > 1 or bool_or(item_id <> criterion_id)
),

evaluated as (
    select w.*
    from whole as w
    anti join run.not_evaluated as n on w.criterion_id = n.criterion_id
),

charts as (
    select
        r.patient_id,
        r.item_id as criterion_id,
        r.review_id,
        r.reviewed_date
    from norm.reviews as r
    inner join evaluated as e on r.item_id = e.criterion_id
    where r.answer = case e.kind when 'inclusion' then 'no' else 'yes' end
),

of_items as (
    select
        i.patient_id,
        i.criterion_id,
        list(
            outcome(i.verdict, i.basis, i.reason_code, i.reason, i.evidence, i.evidence_date, i.known_date, i.next_date, i.fail_kind)
            order by i.position
        ) as parts,
        bool_and(i.verdict = 'pass' and i.basis = 'data' and coalesce(i.known_date > c.reviewed_date, false)) as is_contradicted
    from pub.items as i
    inner join evaluated as e on i.criterion_id = e.criterion_id
    left join charts as c on i.patient_id = c.patient_id and i.criterion_id = c.criterion_id
    group by i.patient_id, i.criterion_id
),

with_chart as (
    select
        o.patient_id,
        o.criterion_id,
        case
            when c.patient_id is null then o.parts
            when o.is_contradicted
                then o.parts || [dated(
                    to_review(
                        'conflicting_data',
                        say('chart.contradicted', c.reviewed_date),
                        flatten(list_transform(o.parts, lambda p: p.evidence)) || [cite('chart_reviews', c.review_id, c.reviewed_date)]
                    ),
                    list_max(list_transform(o.parts, lambda p: p.evidence_date))
                )]
            else o.parts || [charted('fail', c.review_id, c.reviewed_date, 'changeable')]
        end as parts,
        c.patient_id is not null as has_chart_part
    from of_items as o
    left join charts as c on o.patient_id = c.patient_id and o.criterion_id = c.criterion_id
)

select
    patient_id, item_id, criterion_id, position::double as position, is_judgement, true as is_leaf, false as has_chart_part,
    verdict, basis, reason_code, reason, evidence, evidence_date, known_date, next_date, fail_kind
from pub.items
union all by name
select
    w.patient_id,
    w.criterion_id as item_id,
    w.criterion_id,
    e.position - 0.5 as position,
    false as is_judgement,
    false as is_leaf,
    w.has_chart_part,
    unnest(all_of(w.parts))
from with_chart as w
inner join evaluated as e on w.criterion_id = e.criterion_id;
