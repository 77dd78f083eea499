-- How an item of SLEDAI-2K or of the classification comes by its state (protocol §3.2 and §3.3): a chart review sets it, else results
-- and diagnoses do. wanted: the scheme, sledai or classification; days: the window counted back from day D, null for ever.

-- What one result says of an item: qualifying, clear, open (censored, equivocal, no limit of normal) or unusable.
create or replace macro item_says(cause, serology, number, value_bounds, limit_low, comparison, threshold) as case
    when cause is not null then 'unusable'
    when serology is not null then case serology when 'positive' then 'qualifying' when 'negative' then 'clear' else 'open' end
    when number is null then 'clear'   -- a count in a unit of its own, within its own range
    else case
        case comparison
            when 'above' then greater(value_bounds, threshold)
            when 'below' then less(value_bounds, threshold)
            when 'below limit' then less(value_bounds, limit_low)
        end
        when true then 'qualifying'
        when false then 'clear'
        else 'open'
    end
end;
create or replace macro why_open(serology, limit_low, comparison) as case
    when serology is not null then 'needs_attribution'
    when comparison = 'below limit' and limit_low is null then 'unusable_data'
    else 'censored'
end;
-- The strongest of what several results say decides.
create or replace macro strength_of(says) as list_position(['unusable', 'clear', 'open', 'qualifying'], says);

-- One row per result in the window and measure (item and analyte) that it may decide.
create or replace macro item_results(wanted, days) as table
select
    r.patient_id,
    m.measure_no,
    r.result_no,
    r.taken_at,
    strength_of(item_says(r.cause, r.serology, r.number, r.interval_, r.limit_low, m.comparison, m.threshold)) as strength,
    why_open(r.serology, r.limit_low, m.comparison) as why_open,
    m.is_same_day
from norm.results as r
inner join map.item_measures as m on r.analyte = m.analyte and m.scheme = wanted
inner join norm.patients as p on r.patient_id = p.patient_id
where days is null or within(r.taken_date, p.as_of, to_days(days));

-- One row per patient and item with results in the window: the state that they give it, its cause where unknown, the rows behind it (of
-- clear results the newest of each analyte) and the newest of them. An item that needs its analytes on one day has for results the days
-- on which all of them were measured: a day is as strong as its weakest analyte, an analyte as its strongest result of that day.
create or replace macro measured_items(wanted, days) as table
with results as materialized (
    from item_results(wanted, days)
),

needed as (
    select item_id, count(*) filter (where is_needed) as needed_count
    from map.item_measures
    group by item_id
),

measures_of_days as (
    select patient_id, measure_no, taken_at::date as on_day, max(strength) as strength
    from results
    where is_same_day and strength > strength_of('unusable')
    group by patient_id, measure_no, on_day
),

whole_days as (
    select d.patient_id, m.item_id, d.on_day, min(d.strength) as strength
    from measures_of_days as d
    inner join map.item_measures as m on d.measure_no = m.measure_no and m.is_needed
    inner join needed as n on m.item_id = n.item_id
    group by d.patient_id, m.item_id, d.on_day, n.needed_count
    having count(*) = n.needed_count
),

told as (
    select patient_id, measure_no, strength, why_open, result_no, taken_at
    from results
    where not is_same_day or strength = strength_of('unusable')
    union all
    select r.patient_id, r.measure_no, w.strength, r.why_open, r.result_no, r.taken_at
    from results as r
    inner join measures_of_days as d
        on r.patient_id = d.patient_id and r.measure_no = d.measure_no and r.taken_at::date = d.on_day and r.strength = d.strength
    inner join map.item_measures as m on d.measure_no = m.measure_no
    inner join whole_days as w on d.patient_id = w.patient_id and m.item_id = w.item_id and d.on_day = w.on_day
),

newest as (
    select patient_id, measure_no, strength, max(taken_at) as taken_at
    from told
    group by patient_id, measure_no, strength
),

strongest as (
    select
        n.patient_id,
        m.item_id,
        max(n.strength) as strength,
        bool_or(n.strength = strength_of('unusable')) as has_unusable,
        count(*) filter (where m.is_needed and n.strength = strength_of('clear')) as clear_count
    from newest as n
    inner join map.item_measures as m on n.measure_no = m.measure_no
    group by n.patient_id, m.item_id
),

deciding as (
    select n.patient_id, n.measure_no, n.strength, n.taken_at, m.item_id
    from newest as n
    inner join map.item_measures as m on n.measure_no = m.measure_no
    semi join strongest as s on n.patient_id = s.patient_id and m.item_id = s.item_id and n.strength = s.strength
),

gathered as (
    select
        d.patient_id,
        d.item_id,
        first_cause(list(distinct t.why_open)) as why_open,
        max({
            'at': t.taken_at, 'row_id': r.row_id, 'shown': shown(r), 'on_date': r.taken_date,
            'is_default': r.limit_low is not null and r.is_default_low
        }) as told,
        list(cite(r.source_table, r.row_id, r.taken_date)) as evidence
    from told as t
    inner join deciding as d
        on t.patient_id = d.patient_id and t.measure_no = d.measure_no and t.strength = d.strength
        and (t.taken_at = d.taken_at or t.strength <> strength_of('clear'))
    inner join norm.results as r on t.result_no = r.result_no
    group by d.patient_id, d.item_id
)

select
    s.patient_id,
    s.item_id,
    case
        when s.strength = strength_of('qualifying') then 'present'
        when s.strength = strength_of('clear') and s.clear_count = n.needed_count then 'absent'
        else 'unknown'
    end as state,
    case
        when s.strength = strength_of('qualifying') or (s.strength = strength_of('clear') and s.clear_count = n.needed_count) then null
        when s.strength = strength_of('open') then g.why_open
        when s.has_unusable then 'unusable_data'
        else 'missing_data'
    end as reason_code,
    {'shown': g.told.shown, 'on_date': g.told.on_date, 'is_default': g.told.is_default} as told,
    g.evidence
from strongest as s
inner join needed as n on s.item_id = n.item_id
inner join gathered as g on s.patient_id = g.patient_id and s.item_id = g.item_id;

-- One row per patient and item with a diagnosis of its set in the window: whether a code speaks for it without doubt, and the rows.
create or replace macro coded_items(wanted, days) as table
select
    c.patient_id,
    i.item_id,
    bool_or(c.attribution = 'direct') as is_direct,
    max_by(
        {'shown': c.label, 'on_date': c.event_date, 'is_default': false},
        {'direct': c.attribution = 'direct', 'on_date': c.event_date, 'row_id': c.row_id}
    ) as told,
    case
        when bool_or(c.attribution = 'direct')
            then list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) filter (where c.attribution = 'direct')
        else list(cite(c.source_table, c.row_id, c.event_date, c.known_date))
    end as evidence
from norm.conditions as c
inner join map.scored_items as i on c.concept = i.item_id and i.scheme = wanted and i.is_coded
inner join norm.patients as p on c.patient_id = p.patient_id
where c.source_table = 'diagnoses' and (days is null or within(c.event_date, p.as_of, to_days(days)))
group by c.patient_id, i.item_id;

create or replace macro item_state(state, reason_code, told, evidence) as {
    'state': state::varchar,
    'reason_code': reason_code::varchar,
    'told': told::struct(shown varchar, on_date date, is_default boolean),
    'evidence': coalesce(evidence, [])::struct(ref varchar, on_date date, known_date date)[],
    'evidence_date': case when state <> 'unknown' then newest(evidence) end
};

-- One row per assessed patient and item of the scheme: state present, absent or unknown, its weight, why it is unknown, the rows behind
-- it, and the newest of them to be told (shown null: a chart review).
create or replace macro item_states(wanted, days) as table
with confounders as (
    select c.patient_id, c.concept, list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) as evidence
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where
        c.source_table = 'diagnoses'
        and c.concept in (select confounder from map.scored_items where scheme = wanted)
        and (days is null or within(c.event_date, p.as_of, to_days(days)))
    group by c.patient_id, c.concept
),

answers as (
    select
        r.patient_id,
        r.item_id,
        case r.answer when 'yes' then 'present' else 'absent' end as state,
        {'shown': null, 'on_date': r.reviewed_date, 'is_default': false} as told,
        [cite('chart_reviews', r.review_id, r.reviewed_date)] as evidence
    from norm.reviews as r
    inner join norm.patients as p on r.patient_id = p.patient_id
    where r.answer <> 'unknown' and (days is null or within(r.reviewed_date, p.as_of, to_days(days)))
)

select
    p.patient_id,
    i.item_id,
    i.position,
    i.domain,
    i.is_clinical,
    i.weight,
    unnest(case
        when a.state is not null then item_state(a.state, null, a.told, a.evidence)
        when c.is_direct then item_state('present', null, c.told, c.evidence || case when m.state = 'present' then m.evidence else [] end)
        when m.state = 'present' and x.evidence is not null
            then item_state('unknown', 'needs_attribution', m.told, m.evidence || x.evidence)
        when m.state in ('present', 'absent') then item_state(m.state, null, m.told, m.evidence)
        when c.item_id is not null then item_state('unknown', 'needs_attribution', c.told, c.evidence || coalesce(m.evidence, []))
        when m.state is not null then item_state('unknown', m.reason_code, m.told, m.evidence)
        else item_state('unknown', 'missing_data', null, [])
    end)
from norm.patients as p
inner join map.scored_items as i on i.scheme = wanted
left join measured_items(wanted, days) as m on p.patient_id = m.patient_id and i.item_id = m.item_id
left join coded_items(wanted, days) as c on p.patient_id = c.patient_id and i.item_id = c.item_id
left join confounders as x on p.patient_id = x.patient_id and i.confounder = x.concept
left join answers as a on p.patient_id = a.patient_id and i.item_id = a.item_id;
