-- Laboratory results and observations of known analytes (protocol §1).

-- One row per distinct test of the pulled rows and analyte that it measures: LOINC by code, LOCAL by name.
create or replace table norm.test_analytes as
with reported as (
    select distinct
        'labs' as source_table, code_system, code, case when code_system = 'LOCAL' then test_name end as test_name
    from pulled.labs
    union all
    select distinct 'observations', code_system, code, case when code_system = 'LOCAL' then code end
    from pulled.observations
)

select r.*, coalesce(c.analyte, n.analyte) as analyte
from reported as r
left join map.analyte_codes as c on r.code_system = 'LOINC' and upper(trim(r.code)) = c.code
left join map.test_names as n on r.code_system = 'LOCAL' and r.test_name = n.reported
inner join map.analytes as a
    on coalesce(c.analyte, n.analyte) = a.analyte and (a.kind = 'observation') = (r.source_table = 'observations');

-- One row per pulled row of a known analyte that is known on day D and not left out by its status; a view, since the rows are many.
create or replace view norm.reported_results as
select
    'labs' as source_table, l.lab_id as row_id, l.patient_id, p.sex, t.analyte, l.collected_at as taken_at, l.value, l.unit,
    l.ref_low as reported_low, l.ref_high as reported_high, l.flag, false as is_on_oxygen, coalesce(l.status = 'corrected', false) as is_corrected
from pulled.labs as l
inner join norm.patients as p on l.patient_id = p.patient_id
inner join norm.test_analytes as t
    on t.source_table = 'labs' and l.code_system = t.code_system and l.code = t.code
    and t.test_name is not distinct from case when l.code_system = 'LOCAL' then l.test_name end
where l.violations = [] and l.collected_at::date <= p.as_of and coalesce(l.status, 'final') in ('final', 'corrected')
union all
select
    'observations', o.observation_id, o.patient_id, p.sex, t.analyte, o.observed_at, o.value, o.unit,
    null, null, null, coalesce(o.on_oxygen and t.analyte = 'spo2', false), coalesce(o.status = 'corrected', false)
from pulled.observations as o
inner join norm.patients as p on o.patient_id = p.patient_id
inner join norm.test_analytes as t on t.source_table = 'observations' and o.code_system = t.code_system and o.code = t.code
where o.violations = [] and o.observed_at::date <= p.as_of and coalesce(o.status, 'final') in ('final', 'corrected');

-- One row per analyte, text and unit that were reported.
create or replace table norm.reported_pairs as
select distinct analyte, value, unit
from norm.reported_results;

-- One row per analyte and unit as reported, with its conversion: canonical value = (reported - offset) * factor, null where not listed.
create or replace table map.reported_units as
with reported as (
    select distinct analyte, unit, regexp_replace(coalesce(unit, ''), '[\s\p{Z}]', '', 'g') as unit_key
    from norm.reported_pairs
)

select
    r.analyte,
    r.unit,
    r.unit_key = '' as is_missing,
    regexp_matches(lower(r.unit_key), '^(log|lg)') as is_log,
    u.factor,
    u."offset"
from reported as r
left join map.units as u on r.analyte = u.analyte and u.unit_key in (r.unit_key, lower(r.unit_key));
