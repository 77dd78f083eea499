-- What lets "no record" be read as "no": who is under observation, in which code systems, and which rows were quarantined.

-- One row per patient, table and code system with a usable row within P:observation_days. For medications the code system is 'known'
-- where the row holds a listed ingredient. Rows that tell nothing (LOCAL without a display, an unlisted drug) have an empty one.
create or replace table norm.observed as
select distinct
    d.patient_id,
    'diagnoses' as source_table,
    case when d.code_system = 'LOCAL' and d.display is null then '' else d.code_system end as code_system
from norm.diagnoses as d
inner join norm.patients as p on d.patient_id = p.patient_id
where within(d.recorded_date, p.as_of, to_days(param('observation_days')))
union
select distinct r.patient_id, 'medications', case when m.ingredient is null then '' else 'known' end
from norm.medication_rows as r
left join norm.medications as m on r.patient_id = m.patient_id and r.medication_id = m.medication_id
where coalesce(m.last_date, r.stated_last_date, r.start_date - 1 + param('open_days')) >= r.as_of - param('observation_days');

-- One row per concept, table and code system in which the code lists have codes for it.
create or replace table norm.concept_systems as
select distinct c.concept, t.source_table, c.code_system
from map.codes as c
inner join (values ('diagnoses'), ('procedures'), ('immunizations')) as t (source_table)
    on c."table" = t.source_table or (c."table" = 'both' and t.source_table <> 'immunizations');

-- One row per quarantined row of an assessed patient: the days that the rules would read, where they can be read and are not themselves
-- what was refused; whether its code or name can be read, and the concepts or drug classes it carries.
create or replace table norm.quarantined as
with refused as (
    select
        'diagnoses' as source_table, diagnosis_id as row_id, patient_id, violations, code_system, code, display,
        case when onset_date is not null or violated(violations, 'onset_date') then 'onset_date' else 'recorded_date' end as date_column,
        coalesce(onset_date, recorded_date) as event_date,
        case when not violated(violations, 'recorded_date') then recorded_date end as known_date
    from pulled.diagnoses
    where violations <> []
    union all
    select
        'procedures', procedure_id, patient_id, violations, code_system, code, display, 'performed_date', performed_date,
        case when not violated(violations, 'performed_date') then performed_date end
    from pulled.procedures
    where violations <> []
    union all
    select
        'immunizations', immunization_id, patient_id, violations, code_system, code, display, 'given_date', given_date,
        case when not violated(violations, 'given_date') then given_date end
    from pulled.immunizations
    where violations <> []
),

coded as (
    select
        r.source_table,
        r.row_id,
        r.patient_id,
        case when not violated(r.violations, r.date_column) then r.event_date end as first_date,
        r.known_date,
        r.code_system is not null and case when r.code_system = 'LOCAL' then r.display else r.code end is not null as is_readable,
        list(c.concept) filter (where c.concept is not null) as sets
    from refused as r
    left join norm.code_concepts as c
        on r.source_table = c.source_table and r.code_system = c.code_system and r.code is not distinct from c.code
        and c.display is not distinct from case when r.code_system = 'LOCAL' then r.display end
    group by all
),

drugs as (
    select
        m.medication_id as row_id,
        m.patient_id,
        case when not violated(m.violations, 'start_date') then m.start_date end as first_date,
        case
            when violated(m.violations, 'start_date') or violated(m.violations, 'end_date') then null
            when m.end_date is not null then m.end_date
            when violated(m.violations, 'days_supply') or violated(m.violations, 'kind') or violated(m.violations, 'status') then null
            when m.days_supply is not null then m.start_date + least(ceil(m.days_supply), 40000)::integer - 1
            when m.kind = 'administration' then m.start_date
            when m.kind = 'dispense' then m.start_date + 29
            when m.status in ('stopped', 'completed', 'on-hold') then m.start_date
            else m.start_date - 1 + param('open_days')
        end as last_date,
        max(m.start_date + c.days - 1) as covered_until,
        m.drug_name is not null or coalesce(m.code_system <> 'LOCAL' and m.code is not null, false) as is_readable,
        list(i."class") filter (where i."class" is not null) as sets
    from pulled.medications as m
    left join norm.medication_ingredients as i
        on m.code_system is not distinct from i.code_system
        and m.code is not distinct from i.code
        and m.drug_name is not distinct from i.drug_name
    left join map.drug_coverage as c
        on i.ingredient = c.ingredient
        and case when m.route is null and i."class" = 'biologic' then c.position = 0 else m.route = c.route end
    where m.violations <> []
    group by all
)

select source_table, row_id, patient_id, first_date, first_date as last_date, known_date, is_readable, coalesce(sets, []) as sets
from coded
union all
select
    'medications', row_id, patient_id, first_date,
    case when last_date is not null then greatest(last_date, covered_until) end,
    first_date, is_readable, coalesce(sets, [])
from drugs;
