-- What the dossiers show of the first patients of the list; getvariable('dossiers') says of how many.

-- One row per patient with a dossier: the facts of the list, day D, and bounds.
create or replace table pub.dossier_patients as
select
    l.* replace (
        coalesce(string_split(l.failing, '; '), []) as failing,
        coalesce(string_split(l.to_review, '; '), []) as to_review,
        coalesce(string_split(l.unknown, '; '), []) as unknown
    ),
    p.as_of,
    f.weight_kg,
    f.class_low,
    f.class_high,
    f.gc_oral_low,
    f.gc_oral_high,
    f.gc_systemic_low,
    f.gc_systemic_high,
    s.recorded.taken_date as sledai_recorded_date
from pub.list as l
inner join norm.patients as p on l.patient_id = p.patient_id
inner join pub.features as f on l.patient_id = f.patient_id
left join feat.sledai as s on l.patient_id = s.patient_id
where l.rank <= getvariable('dossiers');

-- One row per patient and item or criterion, in protocol order; a criterion with sub-items names those that have its verdict (decided_by)
-- and says why itself only where a chart review of it is a part of its verdict.
create or replace table pub.dossier_verdicts as
with parts as (
    select patient_id, criterion_id, verdict, list(item_id order by position) as item_ids
    from pub.verdicts
    where is_leaf and item_id <> criterion_id
    group by patient_id, criterion_id, verdict
)

select
    r.patient_id,
    r.item_id,
    r.criterion_id,
    r.position,
    not v.is_leaf as is_whole,
    v.is_leaf and r.item_id <> r.criterion_id as is_part,
    case when not v.is_leaf then coalesce(p.item_ids, []) end as decided_by,
    r.verdict,
    r.basis,
    r.reason_code,
    case when v.is_leaf or v.has_chart_part then r.reason end as reason,
    case when v.is_leaf or v.has_chart_part then r.evidence else [] end as evidence,
    r.evidence_date,
    r.next_date,
    r.fail_kind
from pub.verdict_rows as r
semi join pub.dossier_patients as d on r.patient_id = d.patient_id
inner join pub.verdicts as v on r.patient_id = v.patient_id and r.item_id = v.item_id
left join parts as p on r.patient_id = p.patient_id and r.item_id = p.criterion_id and r.verdict = p.verdict;

-- One row per patient and descriptor of SLEDAI-2K or item of the classification, ANA (the entry criterion) included, in protocol order.
create or replace table pub.dossier_scores as
select
    i.patient_id,
    i.item_id,
    i.position,
    case when i.domain is null then 'sledai' else 'classification' end as scheme,
    i.domain,
    min(i.position) over (partition by i.patient_id, i.domain) as domain_place,
    i.state,
    nullif(i.weight, 0) as weight,
    i.reason_code,
    i.told.shown as shown,
    i.told.on_date as on_date,
    row_ids(i.evidence) as evidence
from (from feat.sledai_items union all by name from feat.classification_items) as i
semi join pub.dossier_patients as d on i.patient_id = d.patient_id;

-- One row per patient and row of the extract that a verdict or a state cites: what it says, and the items that cite it, in protocol order.
create or replace table pub.dossier_rows as
with cited as (
    select patient_id, item_id, position, unnest(evidence) as ref from pub.dossier_verdicts
    union all
    select patient_id, item_id, 1000 + position, unnest(evidence) from pub.dossier_scores
),

gathered as (
    select patient_id, ref, list(item_id order by position) as cited_by
    from cited
    group by patient_id, ref
)

select
    g.patient_id,
    g.ref,
    g.cited_by,
    e.event_date,
    e.end_date,
    coalesce(e.names, []) as names,
    e.reported
from gathered as g
left join pub.events as e on g.patient_id = e.patient_id and g.ref = e."table" || ':' || e.row_id;

-- One row per patient and usable result of the timeline's analytes in the 365 days to day D; day: days from day D, 0 or less. value: in
-- the canonical unit, of a serology the multiple of its upper limit, null where it is a word or a titre. side: where a censored value
-- really lies.
create or replace table pub.dossier_results as
select
    r.patient_id,
    r.analyte,
    {'at': r.taken_at, 'is_corrected': r.is_corrected, 'row_id': r.row_id} as place,
    (r.taken_date - p.as_of)::integer as day,
    r.taken_date as on_date,
    case when r.serology is null then r.number else t.number / nullif(greatest(l.ref_high, 0), 0) end as value,
    case coalesce(t.comparator, '') when '<' then 'below' when '<=' then 'below' when '>' then 'above' when '>=' then 'above' end as side,
    r.serology,
    shown(r) as shown,
    r.limit_low,
    r.is_default_low
from norm.results as r
inner join pub.dossier_patients as p on r.patient_id = p.patient_id and r.taken_date >= p.as_of - 364
left join map.reported_texts as t on r.analyte = t.analyte and r.value = t.value
left join pulled.labs as l on r.serology is not null and r.patient_id = l.patient_id and r.source_table = 'labs' and r.row_id = l.lab_id
where r.cause is null and r.analyte in (select analyte from map.timeline_analytes);

-- One row per patient and run of days with the same glucocorticoid doses, as feat.gc_timeline.
create or replace table pub.dossier_doses as
select
    g.patient_id,
    (g.start_date - p.as_of)::integer as first_day,
    (g.end_date - p.as_of)::integer as last_day,
    g.oral_low,
    g.oral_high,
    g.systemic_low,
    g.systemic_high
from feat.gc_timeline as g
inner join pub.dossier_patients as p on g.patient_id = p.patient_id;

-- One row per patient, listed drug and stretch of days on which rows of it cover one of the 365 days to day D, as feat.coverage reads
-- them; is_as_needed: of such rows, which cover no day.
create or replace table pub.dossier_drugs as
select distinct
    m.patient_id,
    m."class",
    m.ingredient,
    greatest((m.start_date - m.as_of)::integer, -364) as first_day,
    least((greatest(m.last_date, m.start_date + c.days - 1) - m.as_of)::integer, 0) as last_day,
    m.is_as_needed
from norm.medications as m
semi join pub.dossier_patients as d on m.patient_id = d.patient_id
left join map.drug_coverage as c
    on m.ingredient = c.ingredient
    and case when m.route is null and m."class" = 'biologic' then c.position = 0 else m.route = c.route end
where
    m."class" in ('immunosuppressant', 'biologic')
    and m.route_group <> 'local'
    and greatest(m.last_date, m.start_date + c.days - 1) >= m.as_of - 364;

-- One row per patient and step to do, the first first.
create or replace table pub.dossier_steps as
select s.patient_id, s.step_no, s."text", s.item_ids
from pub.steps as s
semi join pub.dossier_patients as d on s.patient_id = d.patient_id;
