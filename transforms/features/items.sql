-- How an item of SLEDAI-2K or of the classification comes by its state (protocol §3.2 and §3.3): a chart review sets it, else results
-- and diagnoses do. wanted: the scheme, sledai or classification; days: the window counted back from day D, null for ever.

-- What one result says of an item: qualifying, clear, open (censored, equivocal, no limit of normal) or unusable.
create or replace macro item_says(r, comparison, threshold) as case
    when r.cause is not null then 'unusable'
    when r.serology is not null
        then case r.serology when 'positive' then 'qualifying' when 'negative' then 'clear' else 'open' end
    when r.number is null then 'clear'   -- a count in a unit of its own, within its own range
    else case
        case comparison
            when 'above' then greater(r.interval_, threshold)
            when 'below' then less(r.interval_, threshold)
            when 'below limit' then less(r.interval_, r.limit_low)
        end
        when true then 'qualifying'
        when false then 'clear'
        else 'open'
    end
end;
create or replace macro why_open(r, comparison) as case
    when r.serology is not null then 'needs_attribution'
    when comparison = 'below limit' and r.limit_low is null then 'unusable_data'
    else 'censored'
end;
create or replace macro strength_of(says) as list_position(['clear', 'open', 'qualifying'], says);

-- One row per result in the window and item that it may decide.
create or replace macro item_results(wanted, days) as table
select
    r.patient_id,
    m.item_id,
    m.is_same_day,
    m.is_needed,
    r.analyte,
    r.taken_date,
    item_says(r, m.comparison, m.threshold) as says,
    why_open(r, m.comparison) as why_open,
    {'at': r.taken_at, 'row_id': r.row_id} as place,
    {'shown': r.shown, 'on_date': r.taken_date, 'is_default': m.comparison = 'below limit' and r.is_default_low} as told,
    cite(r.source_table, r.row_id, r.taken_date) as evidence
from norm.results as r
inner join map.item_measures as m on r.analyte = m.analyte and m.scheme = wanted
inner join norm.patients as p on r.patient_id = p.patient_id
where days is null or within(r.taken_date, p.as_of, to_days(days));

-- One row per patient, item that is decided result by result, and what its results say: the rows behind it (of clear ones the newest of
-- each analyte), the newest of them, and whether each analyte that the item needs is among them.
create or replace macro by_result(wanted, days) as table
with of_analytes as (
    select
        patient_id,
        item_id,
        is_needed,
        says,
        min(why_open) as why_open,
        max(place) as place,
        max_by(told, place) as told,
        case when says = 'clear' then [max_by(evidence, place)] else list(evidence) filter (where says <> 'clear') end as evidence
    from item_results(wanted, days)
    where not is_same_day or says = 'unusable'
    group by patient_id, item_id, analyte, is_needed, says
)

select
    a.patient_id,
    a.item_id,
    a.says,
    first_cause(list(a.why_open)) as why_open,
    max_by(a.told, a.place) as told,
    flatten(list(a.evidence)) as evidence,
    count(*) filter (where a.is_needed) = (
        select count(*) from map.item_measures as m where m.item_id = a.item_id and m.is_needed
    ) as is_whole
from of_analytes as a
group by a.patient_id, a.item_id, a.says;

-- The same for an item that needs its analytes on one day: the days on which all of them were measured are its results, and a day says
-- what its weakest analyte says.
create or replace macro by_day(wanted, days) as table
with of_analytes as (
    select
        patient_id,
        item_id,
        taken_date,
        max(strength_of(says)) as strength,
        min(why_open) filter (where says = 'open') as why_open,
        max(place) as place,
        max_by(told, {'strength': strength_of(says), 'place': place}) as told,
        max_by(evidence, {'strength': strength_of(says), 'place': place}) as evidence
    from item_results(wanted, days)
    where is_same_day and is_needed and says <> 'unusable'
    group by patient_id, item_id, taken_date, analyte
),

of_days as (
    select
        patient_id,
        item_id,
        min(strength) as strength,
        min(why_open) as why_open,
        max(place) as place,
        max_by(told, place) as told,
        list(evidence) as evidence
    from of_analytes as a
    group by patient_id, item_id, taken_date
    having count(*) = (select count(*) from map.item_measures as m where m.item_id = a.item_id and m.is_needed)
)

select
    patient_id,
    item_id,
    ['clear', 'open', 'qualifying'][strength] as says,
    min(why_open) as why_open,
    max_by(told, place) as told,
    flatten(list(evidence)) as evidence,
    true as is_whole
from of_days
group by patient_id, item_id, strength;

-- One row per patient and item with results in the window: the state that they give it, and why where that is unknown.
create or replace macro measured_items(wanted, days) as table
with said as (
    from by_result(wanted, days)
    union all by name
    from by_day(wanted, days)
),

strongest as (
    select
        patient_id,
        item_id,
        max_by(said, coalesce(strength_of(says), 0)) as best,
        bool_or(says = 'unusable') as has_unusable
    from said
    group by patient_id, item_id
)

select
    patient_id,
    item_id,
    case
        when best.says = 'qualifying' then 'present'
        when best.says = 'clear' and best.is_whole then 'absent'
        else 'unknown'
    end as state,
    case
        when best.says = 'open' then best.why_open
        when best.says = 'qualifying' or (best.says = 'clear' and best.is_whole) then null
        when has_unusable then 'unusable_data'
        else 'missing_data'
    end as reason_code,
    best.told as told,
    best.evidence as evidence
from strongest;

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
