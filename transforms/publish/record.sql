-- What is published, as tables of their final shape and order.

-- The rows of evidence as they are published: newest first, at most 20, each as table:row_id.
create or replace macro row_ids(evidence) as list_transform(
    list_sort(list_distinct(list_transform(
        evidence, lambda e: {'age': coalesce(date '9999-12-31' - e.on_date, 9999999), 'ref': e.ref}
    )))[:20],
    lambda e: e.ref
);

-- One row per sentence said of a patient and item, in the run's language.
create or replace table pub.sentences as
with said as (
    select patient_id, item_id, generate_subscripts(reason, 1) as place, unnest(reason) as said
    from pub.verdicts
)

select
    s.patient_id,
    s.item_id,
    min(s.place) as place,
    replace(
        filled(coalesce(m.text, s.said."key"), coalesce(a.text, s.said.args[1]), s.said.args),
        '@result.default_range',
        (select text from run.messages where "key" = 'result.default_range')
    ) as sentence
from said as s
left join run.messages as m on s.said."key" = m."key"
left join run.messages as a on starts_with(s.said.args[1], '@') and s.said.args[1][2:] = a."key"
group by all;

-- One row per assessed patient and item; evidence newest first, at most 20 rows.
create or replace table pub.verdict_rows as
with joined as (
    select patient_id, item_id, string_agg(sentence, '; ' order by place, sentence) as reason
    from pub.sentences
    group by patient_id, item_id
)

select
    v.patient_id,
    v.item_id,
    v.criterion_id,
    v.verdict,
    v.basis,
    v.reason_code,
    j.reason,
    row_ids(v.evidence) as evidence,
    v.evidence_date,
    v.next_date,
    v.fail_kind,
    v.position
from pub.verdicts as v
left join joined as j on v.patient_id = j.patient_id and v.item_id = j.item_id;

-- One row per assessed patient: listed immunosuppressants and biologics ever taken, the current ones first with a star.
create or replace table pub.drugs as
with taken as (
    select
        m.patient_id,
        m."class",
        m.ingredient,
        bool_or(coalesce(c.last_date >= m.as_of, false)) as is_current
    from norm.medications as m
    left join feat.coverage as c on m.patient_id = c.patient_id and m.medication_id = c.medication_id and m.ingredient = c.ingredient
    where m."class" in ('immunosuppressant', 'biologic') and m.route_group <> 'local'
    group by m.patient_id, m."class", m.ingredient
)

select
    patient_id,
    string_agg(ingredient || case when is_current then '*' else '' end, '; ' order by is_current desc, ingredient)
        filter (where "class" = 'immunosuppressant') as immunosuppressants,
    string_agg(ingredient || case when is_current then '*' else '' end, '; ' order by is_current desc, ingredient)
        filter (where "class" = 'biologic') as biologics
from taken
group by patient_id;

-- One row per assessed patient: the newest day of any usable record.
create or replace table pub.last_records as
select patient_id, max(on_date) as last_record_date
from (
    select patient_id, max(recorded_date) as on_date from norm.diagnoses group by patient_id
    union all select patient_id, max(start_date) from norm.medication_rows group by patient_id
    union all select patient_id, max(performed_date) from norm.procedures group by patient_id
    union all select patient_id, max(given_date) from norm.immunizations group by patient_id
    union all select patient_id, max(taken_date) from norm.results group by patient_id
)
group by patient_id;

-- One row per assessed patient with what was derived of it.
create or replace table pub.features as
select
    p.patient_id,
    p.as_of,
    c.tier,
    c.is_listed as listed,
    p.age_low,
    p.age_high,
    p.sex,
    f.weight_kg,
    c.sledai_recorded,
    s.sledai_low,
    s.sledai_high,
    l.class_low,
    l.class_high,
    f.gc_oral_low,
    f.gc_oral_high,
    f.gc_systemic_low,
    f.gc_systemic_high,
    d.immunosuppressants,
    d.biologics,
    c.expected_pass
from norm.patients as p
inner join pub.candidates as c on p.patient_id = c.patient_id
left join feat.patients as f on p.patient_id = f.patient_id
left join feat.sledai as s on p.patient_id = s.patient_id
left join feat.classification as l on p.patient_id = l.patient_id
left join pub.drugs as d on p.patient_id = d.patient_id;

-- The list for research nurses, without the columns of criteria.
create or replace table pub.list as
select
    c.rank,
    c.patient_id,
    c.tier,
    c.expected_pass,
    c.next_date,
    f.sex,
    case when f.age_low = f.age_high then f.age_low::varchar else f.age_low || '-' || f.age_high end as age,
    f.sledai_recorded,
    f.sledai_low,
    f.sledai_high,
    case
        when f.gc_oral_low = f.gc_oral_high then format('{:.1f}', f.gc_oral_low)
        when f.gc_oral_high is not null then format('{:.1f}-{:.1f}', f.gc_oral_low, f.gc_oral_high)
    end as gc_oral_mg_day,
    f.immunosuppressants,
    f.biologics,
    l.last_record_date,
    c.disposition,
    nullif(array_to_string(c.failing, '; '), '') as failing,
    nullif(array_to_string(c.to_review, '; '), '') as to_review,
    nullif(array_to_string(c.unknown, '; '), '') as unknown,
    t.to_do
from pub.candidates as c
inner join pub.features as f on c.patient_id = f.patient_id
left join pub.last_records as l on c.patient_id = l.patient_id
left join (
    select patient_id, string_agg("text", '; ' order by step_no) as to_do from pub.steps group by patient_id
) as t on c.patient_id = t.patient_id
where c.is_listed;
