-- Rules on diagnoses, procedures, immunizations and medications, and on their absence.

-- One row per patient with usable rows of the concepts in the tables: the newest of them, and all as evidence.
-- span = null: ever, an onset after day D included.
create or replace macro events(concepts, tables, span) as table
select
    c.patient_id,
    max(c.event_date) as event_date,
    max_by(c.concept, {'a': c.event_date, 'b': c.row_id}) as concept,
    max_by(c.label, {'a': c.event_date, 'b': c.row_id}) as label,
    list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) as evidence
from norm.conditions as c
inner join norm.patients as p on c.patient_id = p.patient_id
where
    list_contains(concepts, c.concept)
    and list_contains(tables, c.source_table)
    and (span is null or within(c.event_date, p.as_of, span))
group by c.patient_id;

-- The same for rows dated within the span or still active on day D.
create or replace macro events_or_active(concepts, tables, span) as table
select
    c.patient_id,
    max(c.event_date) as event_date,
    max_by(c.concept, {'a': c.event_date, 'b': c.row_id}) as concept,
    max_by(c.label, {'a': c.event_date, 'b': c.row_id}) as label,
    list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) as evidence
from norm.conditions as c
inner join norm.patients as p on c.patient_id = p.patient_id
where
    list_contains(concepts, c.concept)
    and list_contains(tables, c.source_table)
    and (c.is_active or within(c.event_date, p.as_of, span))
group by c.patient_id;

create or replace macro said_event(e) as say('record.event', '@concept.' || e.concept, e.label, e.event_date);

-- One row per assessed patient: the outcome where no row satisfies an item that is closed on a table (diagnoses, procedures or
-- immunizations): absent, or why absence cannot be read. deciding: the sets whose codes a code system must have for its rows to show
-- that the patient is under observation; all_sets: every set of the item; span: its window (null: ever), which ends on the anchor.
create or replace macro no_record_before(closed_table, deciding, all_sets, span, anchor) as table
with systems as (
    select code_system, count(distinct concept) as concept_count
    from norm.concept_systems
    where source_table = closed_table and list_contains(deciding, concept)
    group by code_system
),

seen as (
    select
        o.patient_id,
        bool_or(closed_table <> 'diagnoses' or s.code_system is not null) as is_observed
    from norm.observed as o
    left join systems as s on o.code_system = s.code_system and s.concept_count = len(deciding)
    where o.source_table = 'diagnoses'
    group by o.patient_id
),

doubtful as (
    select q.patient_id, list(cite(q.source_table, q.row_id, q.first_date)) as evidence
    from norm.quarantined as q
    inner join norm.patients as p on q.patient_id = p.patient_id
    where
        q.source_table = closed_table
        and not (q.is_readable and not list_has_any(q.sets, all_sets))
        and not coalesce(q.known_date > p.as_of, false)
        and not coalesce(
            span is not null and (q.first_date > window_end(anchor, p) or q.last_date < window_start(window_end(anchor, p), span)), false
        )
    group by q.patient_id
)

select
    p.patient_id,
    case
        when not (select t.is_present from run.tables as t where t.table_name = closed_table)
            then undecided('table_absent', say('record.table_absent', '@table.' || closed_table))
        when d.patient_id is not null then undecided('unusable_data', say('record.unusable_data', '@table.' || closed_table), d.evidence)
        when s.is_observed then absent(say('record.absent', '@concept.' || deciding[1]))
        when s.patient_id is not null then undecided('unmapped_data', say('record.unmapped_data', '@table.' || closed_table))
        else undecided('missing_data', say('record.missing_data', '@table.' || closed_table))
    end as nothing
from norm.patients as p
left join seen as s on p.patient_id = s.patient_id
left join doubtful as d on p.patient_id = d.patient_id;

create or replace macro no_record(closed_table, deciding, all_sets, span) as table
from no_record_before(closed_table, deciding, all_sets, span, 'day D');

-- The same for an item that is closed on medications. classes: every class of the item, the first the one that is missed; uses: how a row
-- must have been in use for the item to count it (feat.run_out); span: its window (null: ever), which ends on the anchor.
-- An open row that only the limit for open rows ended, not long ago and with no later row of its ingredient, forbids reading absence.
create or replace macro no_medication_before(classes, uses, span, anchor) as table
with seen as (
    select patient_id, bool_or(code_system = 'known') as is_observed
    from norm.observed
    where source_table = 'medications'
    group by patient_id
),

doubtful as (
    select q.patient_id, list(cite(q.source_table, q.row_id, q.first_date)) as evidence
    from norm.quarantined as q
    inner join norm.patients as p on q.patient_id = p.patient_id
    where
        q.source_table = 'medications'
        and not (q.is_readable and not list_has_any(q.sets, classes))
        and not coalesce(q.known_date > p.as_of, false)
        and not coalesce(
            span is not null and (q.first_date > window_end(anchor, p) or q.last_date < window_start(window_end(anchor, p), span)), false
        )
    group by q.patient_id
),

run_out as (
    select patient_id, list(cite('medications', medication_id, start_date)) as evidence
    from feat.run_out
    where list_has_any(uses_of_row, uses)
    group by patient_id
)

select
    p.patient_id,
    case
        when d.patient_id is not null then undecided('unusable_data', say('record.unusable_data', '@table.medications'), d.evidence)
        when s.patient_id is not null and not s.is_observed
            then undecided('unmapped_data', say('record.unmapped_data', '@table.medications'))
        when r.patient_id is not null then undecided('stale_data', say('record.run_out'), r.evidence)
        when s.patient_id is null then undecided('missing_data', say('record.missing_data', '@table.medications'))
        else absent(say('record.absent', '@class.' || classes[1]))
    end as nothing
from norm.patients as p
left join seen as s on p.patient_id = s.patient_id
left join doubtful as d on p.patient_id = d.patient_id
left join run_out as r on p.patient_id = r.patient_id;

-- The same where one class decides: routes that the item counts: any, systemic, or intravenous.
create or replace macro no_medication(classes, span, routes) as table
from no_medication_before(classes, list_transform(classes, lambda c: c || ' ' || routes), span, 'day D');

-- One row per patient on a class of drug on day D, with the rows that cover it: the chain of use going back over covered days with gaps of at most 7 days.
create or replace macro chain_of_use(wanted_class) as table
with spans as (
    select
        m.*,
        max(least(m.last_date, m.as_of)) over (
            partition by m.patient_id order by m.start_date, m.medication_id rows between unbounded preceding and 1 preceding
        ) as covered_until
    from norm.medications as m
    where m."class" = wanted_class and m.route_group <> 'local' and not m.is_as_needed and not m.is_uncounted
),

chained as (
    select
        *,
        sum((covered_until is null or start_date - covered_until - 1 > 7)::integer) over (
            partition by patient_id order by start_date, medication_id rows unbounded preceding
        ) as chain
    from spans
)

select
    patient_id,
    min(start_date) as first_date,
    max(least(last_date, as_of)) as last_date,
    bool_or(is_open and last_date >= as_of) as is_open,
    list(cite('medications', medication_id, start_date)) filter (where last_date >= as_of) as evidence
from chained
group by patient_id, chain, as_of
having max(last_date) >= as_of;
