-- What the assessed patients' rows say, for tracing and for telling one run from the next.

-- What of a row's violations comes from the row alone, not from day D.
create or replace macro told_of(violations) as
    case when violations <> [] then nullif(list_filter(violations, lambda v: not ends_with(v, ':date_out_of_range')), []) end;
create or replace macro left_out(status) as
    coalesce(status in ('refuted', 'entered-in-error', 'cancelled', 'not-done', 'preliminary'), false);
-- What became of a row: the first that holds.
create or replace macro state_of(violations, known_date, as_of, status, is_unmapped) as case
    when violations <> [] then 'quarantined'
    when known_date > as_of then 'after_day_d'
    when left_out(status) then 'refuted'
    when is_unmapped then 'unmapped'
    else 'used'
end;

-- One row per row of an assessed patient that the rules may read: all of the tables but labs and observations, and of these those that
-- measure an analyte or were quarantined. event_date, end_date: as the rules date it; known_date: the day on which it became known.
-- names: the concepts, ingredients or analyte that it carries, the item of a review, the status of a disposition. reported: the row as it
-- came, in short. state: what became of it. row_hash: of the cells that the rules may read (so not of note, reason, or the display of a
-- code that is not LOCAL). A view, since the rows are many: ask it once for all the patients that you need.
create or replace view pub.events as
with conditions as (
    select source_table, code_system, code, display, list(concept order by concept) as names
    from norm.code_concepts
    group by all
),

ingredients as (
    select code_system, code, drug_name, list(ingredient order by ingredient) as names
    from norm.medication_ingredients
    group by all
),

unusable as (
    select source_table, row_id, true as is_unusable from norm.results where cause is not null
),

reviews as (
    select k.review_id, case when h.review_id is not null then 'used' when k.is_valid then 'superseded' else 'expired' end as state
    from norm.known_reviews as k
    left join norm.reviews as h on k.review_id = h.review_id
),

last_days as (
    select medication_id, max(last_date) as last_date from norm.medications group by medication_id
),

dispositions as (
    select d.disposition_id, case when l.disposition_id is not null then 'used' else 'superseded' end as state
    from pulled.dispositions as d
    inner join norm.patients as p on d.patient_id = p.patient_id
    left join norm.dispositions as l on d.disposition_id = l.disposition_id
    where d.violations = [] and d.recorded_date <= p.as_of
),

coded as (
    select
        d.*, c.names, p.as_of
    from (
        select
            'diagnoses' as "table", diagnosis_id as row_id, patient_id, code_system, code, display, recorded_date as known_date,
            coalesce(onset_date, recorded_date) as event_date, end_date, status, violations,
            hash(
                code_system, code, case when code_system = 'LOCAL' then display end, onset_date, end_date, recorded_date, status,
                told_of(violations)
            ) as row_hash
        from pulled.diagnoses
        union all
        select
            'procedures', procedure_id, patient_id, code_system, code, display, performed_date, performed_date, null, status, violations,
            hash(code_system, code, case when code_system = 'LOCAL' then display end, performed_date, status, told_of(violations))
        from pulled.procedures
        union all
        select
            'immunizations', immunization_id, patient_id, code_system, code, display, given_date, given_date, null, status, violations,
            hash(code_system, code, case when code_system = 'LOCAL' then display end, given_date, status, told_of(violations))
        from pulled.immunizations
    ) as d
    inner join norm.patients as p on d.patient_id = p.patient_id
    left join conditions as c
        on d."table" = c.source_table and d.code_system = c.code_system and d.code is not distinct from c.code
        and c.display is not distinct from case when d.code_system = 'LOCAL' then d.display end
),

measured as (
    select r.*, t.analyte, p.as_of, u.is_unusable
    from (
        select
            'labs' as "table", lab_id as row_id, patient_id, code_system, code, test_name, collected_at::date as event_date, value, unit, status,
            violations,
            hash(
                code_system, code, case when code_system = 'LOCAL' then test_name end, collected_at, value, unit, ref_low, ref_high, flag,
                status, told_of(violations)
            ) as row_hash
        from pulled.labs
        union all
        select
            'observations', observation_id, patient_id, code_system, code, null, observed_at::date, value, unit, status, violations,
            hash(code_system, code, observed_at, value, unit, on_oxygen, status, told_of(violations))
        from pulled.observations
    ) as r
    inner join norm.patients as p on r.patient_id = p.patient_id
    left join norm.test_analytes as t
        on r."table" = t.source_table and r.code_system = t.code_system and r.code = t.code
        and t.test_name is not distinct from case
            when r.code_system = 'LOCAL' then case r."table" when 'labs' then r.test_name else r.code end
        end
    left join unusable as u on r."table" = u.source_table and r.row_id = u.row_id
    where t.analyte is not null or r.violations <> []
)

select
    patient_id,
    'patients' as "table",
    patient_id as row_id,
    null::date as event_date,
    death_date as end_date,
    death_date as known_date,
    []::varchar[] as names,
    concat_ws(' ', sex, coalesce(birth_date::varchar, birth_year::varchar), '† ' || death_date) as reported,
    'used' as state,
    hash(sex, birth_date, birth_year, death_date) as row_hash
from pulled.patients
union all
select
    patient_id, "table", row_id, event_date, end_date, known_date, coalesce(names, []),
    concat_ws(' ', code_system, code, display),
    state_of(violations, known_date, as_of, status, names is null),
    row_hash
from coded
union all
select
    m.patient_id, 'medications', m.medication_id, m.start_date, coalesce(m.end_date, d.last_date), m.start_date, coalesce(i.names, []),
    concat_ws(
        ' ',
        coalesce(m.drug_name, m.code_system || ' ' || m.code),
        gate.as_text(m.dose_value), m.dose_unit, coalesce(m.route, m.route_text), '× ' || gate.as_text(m.doses_per_day) || '/d',
        case when m.dose_value is null then gate.as_text(m.quantity) || ' × ' || gate.as_text(m.strength_value) end,
        case when m.dose_value is null then m.strength_unit end,
        case when m.days_supply is not null then gate.as_text(m.days_supply) || ' d' end,
        case when m.as_needed then 'prn' end
    ),
    state_of(m.violations, m.start_date, p.as_of, m.status, i.names is null),
    hash(
        m.code_system, m.code, m.drug_name, m.route, m.dose_value, m.dose_unit, m.doses_per_day, m.quantity, m.strength_value, m.strength_unit,
        m.days_supply, m.start_date, m.end_date, m.kind, m.as_needed, m.status, told_of(m.violations)
    )
from pulled.medications as m
inner join norm.patients as p on m.patient_id = p.patient_id
left join ingredients as i
    on m.code_system is not distinct from i.code_system and m.code is not distinct from i.code
    and m.drug_name is not distinct from i.drug_name
left join last_days as d on m.medication_id = d.medication_id
union all
select
    patient_id, "table", row_id, event_date, null, event_date, case when analyte is null then [] else [analyte] end,
    concat_ws(' ', coalesce(test_name, code_system || ' ' || code), value, unit),
    case when is_unusable then 'unusable' else state_of(violations, event_date, as_of, status, false) end,
    row_hash
from measured
union all
select
    r.patient_id, 'chart_reviews', r.review_id, r.reviewed_date, r.valid_until, r.reviewed_date,
    case when r.item_id is null then [] else [r.item_id] end,
    concat_ws(' ', r.item_id, r.answer),
    coalesce(h.state, state_of(r.violations, r.reviewed_date, p.as_of, null, false)),
    hash(r.item_id, r.answer, r.reviewed_date, r.valid_until, told_of(r.violations))
from pulled.chart_reviews as r
inner join norm.patients as p on r.patient_id = p.patient_id
left join reviews as h on r.review_id = h.review_id
union all
select
    d.patient_id, 'dispositions', d.disposition_id, d.recorded_date, null, d.recorded_date,
    case when d.status is null then [] else [d.status] end,
    concat_ws(' ', d.status, d.reason),
    coalesce(l.state, state_of(d.violations, d.recorded_date, p.as_of, null, false)),
    hash(d.status, d.recorded_date, told_of(d.violations))
from pulled.dispositions as d
inner join norm.patients as p on d.patient_id = p.patient_id
left join dispositions as l on d.disposition_id = l.disposition_id;
