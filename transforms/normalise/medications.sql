-- Medications with their ingredients, route group and interval of use (protocol §3.1).

-- One row per distinct code and name of the pulled rows and ingredient that it holds: the code's where the list knows it, else the name's.
create or replace table norm.medication_ingredients as
with reported as (
    select distinct code_system, code, drug_name from pulled.medications
),

by_code as (
    select r.*, c.ingredient, c.is_stem
    from reported as r
    inner join map.drug_codes as c
        on r.code_system = c.code_system
        and case when c.is_stem then starts_with(upper(trim(r.code)), c.code) else upper(trim(r.code)) = c.code end
    qualify not c.is_stem or not bool_or(not c.is_stem) over (partition by r.code_system, r.code, r.drug_name)
),

by_name as (
    select r.*, n.ingredient
    from reported as r
    inner join map.named_ingredients as n on r.drug_name = n.drug_name
    anti join by_code as c
        on r.code_system is not distinct from c.code_system and r.code is not distinct from c.code
        and r.drug_name is not distinct from c.drug_name
)

select distinct found.code_system, found.code, found.drug_name, found.ingredient, d."class"
from (select code_system, code, drug_name, ingredient from by_code union all from by_name) as found
inner join map.drugs as d on found.ingredient = d.ingredient;

-- One row per usable medication row started by day D, with the days on which it is taken.
-- open_until: the last day that the limit for rows without an end allows; null where the row says itself when it ends.
create or replace table norm.medication_rows as
with usable as (
    select m.*, p.as_of, t.name_key
    from pulled.medications as m
    inner join norm.patients as p on m.patient_id = p.patient_id
    left join map.drug_texts as t on m.drug_name = t.drug_name
    where
        m.violations = []
        and m.start_date <= p.as_of
        and coalesce(m.status, 'active') not in ('cancelled', 'entered-in-error')
)

select
    medication_id, patient_id, as_of, code_system, code, drug_name, name_key, route,
    dose_value, dose_unit, doses_per_day, quantity, strength_value, strength_unit, days_supply,
    start_date, coalesce(kind, 'order') as kind, coalesce(as_needed and kind is distinct from 'administration', false) as is_as_needed,
    case
        when end_date is not null then end_date
        when days_supply is not null then start_date + least(ceil(days_supply), 40000)::integer - 1
        when kind = 'administration' then start_date
        when kind = 'dispense' then start_date + 29
        when status in ('stopped', 'completed', 'on-hold') then start_date
    end as stated_last_date,
    case
        when route = 'oral' then 'oral'
        when route in ('iv', 'im', 'sc') then 'parenteral'
        when route is not null then 'local'
        when regexp_matches(name_key, '注射|静滴|(^|[^a-z])injection($|[^a-z])') then 'parenteral'
        when regexp_matches(name_key, '软膏|乳膏|凝胶|滴眼|眼膏|吸入|喷雾|鼻喷|栓剂|栓\s*$') then 'local'
        when regexp_matches(
            name_key, '(^|[^a-z])(cream|ointment|gel|drops|ophthalmic|inhaler|inhalation|spray|enema)($|[^a-z])'
        ) then 'local'
        else 'oral'
    end as route_group,
    regexp_matches(coalesce(name_key, ''), '注射|静滴|(^|[^a-z])injection($|[^a-z])') as is_named_parenteral
from usable;

-- One row per usable medication row and ingredient; last_date may lie after day D.
-- is_uncounted: the row is no use of its class (a heparin flush).
create or replace table norm.medications as
select
    m.* exclude (stated_last_date),
    i.ingredient,
    i."class",
    i.is_short_course,
    m.stated_last_date is null as is_open,
    coalesce(m.stated_last_date, m.start_date - 1 + case when i.is_short_course then 7 else param('open_days') end) as last_date,
    coalesce(i.ingredient = 'heparin' and lower(trim(m.dose_unit)) in ('iu', 'u') and m.dose_value <= 1000, false) as is_uncounted
from norm.medication_rows as m
inner join (
    select
        *,
        "class" in ('ivig', 'antimicrobial', 'marrow_stimulant', 'gene_cell_therapy', 'investigational') as is_short_course
    from norm.medication_ingredients
) as i
    on m.code_system is not distinct from i.code_system
    and m.code is not distinct from i.code
    and m.drug_name is not distinct from i.drug_name;
