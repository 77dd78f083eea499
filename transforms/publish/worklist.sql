-- The lines of the worklist's second sheet: one per undecided item of a listed patient, asked so that yes and no are the
-- answers of a chart review (of an inclusion yes passes, of an exclusion yes fails). A criterion is asked about as a whole
-- where its own review is contradicted. Judgement items are asked too: nobody but the site can answer them.
create or replace macro in_words(message, a, b) as replace(replace(message, '{1}', a), '{2}', b);

create or replace table pub.questions as
with undecided as (
    select patient_id, item_id, position, verdict
    from pub.verdicts
    where verdict in ('review', 'unknown') and (is_leaf or (has_chart_part and verdict = 'review'))
),

kinds as (
    select item_id, kind from run.items
    union
    select criterion_id, kind from run.items
)

select
    c.rank,
    u.patient_id,
    u.item_id,
    u.position,
    u.verdict,
    case
        when v.reason_code = 'judgement' then in_words(form.text, ask.text, '')
        else in_words(record.text, in_words(form.text, ask.text, ''), coalesce(v.reason, ''))
    end as question,
    nullif(concat_ws('; ', array_to_string(v.evidence[:5], '; '), '+' || nullif(greatest(len(v.evidence) - 5, 0), 0)), '') as evidence,
    sha256(u.patient_id || chr(10) || u.item_id)[:12] as line_code
from undecided as u
inner join pub.candidates as c on u.patient_id = c.patient_id and c.is_listed
inner join pub.verdict_rows as v on u.patient_id = v.patient_id and u.item_id = v.item_id
inner join kinds as k on u.item_id = k.item_id
inner join run.messages as ask on 'ask.' || u.item_id = ask."key"
inner join run.messages as record on record."key" = 'ask.record'
inner join run.messages as form on case k.kind when 'inclusion' then 'ask.meets' else 'ask.excludes' end = form."key";
