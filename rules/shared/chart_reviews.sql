-- Chart reviews put into the items' outcomes.

-- One row per patient and item whose outcome a chart review settles: the item's own answer, else the favourable one of its criterion.
create or replace table pub.answers as
with own as (
    select r.patient_id, i.item_id, r.review_id, r.reviewed_date, (r.answer = 'yes') = (i.kind = 'inclusion') as is_favourable
    from norm.reviews as r
    inner join run.items as i on r.item_id = i.item_id
    where r.answer <> 'unknown'
),

of_criterion as (
    select r.patient_id, i.item_id, r.review_id, r.reviewed_date, (r.answer = 'yes') = (i.kind = 'inclusion') as is_favourable
    from norm.reviews as r
    inner join run.items as i on r.item_id = i.criterion_id and i.item_id <> i.criterion_id
    where r.answer <> 'unknown'
)

from own
union all by name
from of_criterion as c
where c.is_favourable and not exists (select 1 from own as o where o.patient_id = c.patient_id and o.item_id = c.item_id);

create or replace macro charted(verdict, a_review_id, a_date, fail_kind) as outcome(
    verdict,
    'chart',
    null,
    say('chart.' || verdict, a_date),
    [cite('chart_reviews', a_review_id, a_date)],
    a_date,
    a_date,
    null,
    fail_kind
);

-- One row per patient and item: the outcome after chart reviews.
create or replace table pub.items as
select
    o.patient_id,
    o.item_id,
    i.criterion_id,
    i.position,
    i.is_judgement,
    unnest(case
        when a.patient_id is null or o.is_final
            then struct_update(
                outcome(
                    o.verdict, o.basis, o.reason_code, o.reason, o.evidence, o.evidence_date, o.known_date, o.next_date, o.fail_kind
                ),
                is_final := o.is_final
            )
        when
            o.basis in ('data', 'not_applicable') and o.known_date > a.reviewed_date
            and o.verdict = case when a.is_favourable then 'fail' else 'pass' end
            then dated(
                to_review(
                    'conflicting_data',
                    say('chart.contradicted', a.reviewed_date) || o.reason,
                    o.evidence || [cite('chart_reviews', a.review_id, a.reviewed_date)]
                ),
                o.evidence_date
            )
        when a.is_favourable then charted('pass', a.review_id, a.reviewed_date, null)
        when i.on_fail = 'timed' and o.verdict = 'fail'
            then outcome(
                o.verdict, o.basis, o.reason_code, o.reason, o.evidence, o.evidence_date, o.known_date, o.next_date, o.fail_kind
            )
        else charted('fail', a.review_id, a.reviewed_date, case when i.on_fail = 'timed' then 'changeable' else i.on_fail end)
    end)
from rule.outcomes as o
inner join run.items as i on o.item_id = i.item_id
left join pub.answers as a on o.patient_id = a.patient_id and o.item_id = a.item_id;
