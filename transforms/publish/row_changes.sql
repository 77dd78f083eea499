-- Which rows of the patients in pub.flips are not what they were in the run before (pub.before_events), and which flips they may bear on.

-- One row per row that is new, changed or withdrawn; or unchanged, but that began to count (its date has come) or no longer holds (a chart
-- review). Hashes are compared where both runs made them alike, else what can be seen.
create or replace table pub.row_changes as
with rows_before as (
    select e.*, {'date': e.event_date, 'end': e.end_date, 'reported': e.reported, 'is_refused': e.state = 'quarantined'} as seen
    from pub.before_events as e
    where e.patient_id in (select f.patient_id from pub.flips as f)
),

rows_now as (
    select e.*, {'date': e.event_date, 'end': e.end_date, 'reported': e.reported, 'is_refused': e.state = 'quarantined'} as seen
    from pub.events as e
    where e.patient_id in (select f.patient_id from pub.flips as f)
),

compared as (
    select
        coalesce(n.patient_id, b.patient_id) as patient_id,
        coalesce(n."table", b."table") as "table",
        coalesce(n.row_id, b.row_id) as row_id,
        coalesce(n.names, []) || coalesce(b.names, []) as names,
        coalesce(n.event_date, b.event_date) as event_date,
        n.known_date,
        coalesce(b.state = 'after_day_d', false) as was_to_come,
        case when b.reported <> n.reported then b.reported || ' → ' || n.reported else coalesce(n.reported, b.reported) end as said,
        case
            when b.row_id is null then 'new'
            when n.row_id is null then 'withdrawn'
            when
                case
                    when (select p.is_hash_comparable from run.previous as p) then b.row_hash <> n.row_hash
                    else b.seen <> n.seen
                end
                then 'changed'
            when b.state = 'after_day_d' and n.state <> 'after_day_d' then 'known'
            when b.state = 'used' and n.state = 'expired' then 'expired'
        end as how
    from rows_before as b
    full join rows_now as n
        on b.patient_id = n.patient_id and b."table" = n."table" and b.row_id = n.row_id
)

from compared
where how is not null;

-- One row per flip and such row that its item reads. is_named: by what it says, not for its being there alone.
create or replace table pub.flip_rows as
select
    f.patient_id,
    f.item_id,
    r."table",
    r.row_id,
    r.how,
    r.event_date,
    r.known_date,
    r.said,
    r.was_to_come,
    bool_or(i.name <> '' or r."table" in ('patients', 'dispositions')) as is_named,
    coalesce(list_contains(f.from_evidence, r."table" || ':' || r.row_id), false) as was_evidence,
    coalesce(list_contains(f.to_evidence, r."table" || ':' || r.row_id), false) as is_evidence
from pub.flips as f
inner join pub.row_changes as r on f.patient_id = r.patient_id
inner join run.item_reads as i on f.item_id = i.item_id and r."table" = i."table" and (i.name = '' or list_contains(r.names, i.name))
group by all;
