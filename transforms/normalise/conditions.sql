-- Diagnoses, procedures and immunizations with the concepts of the code lists that they carry.

-- One row per usable diagnosis known on day D; its date is the onset, else the day it was recorded.
create or replace table norm.diagnoses as
select
    d.diagnosis_id,
    d.patient_id,
    d.code_system,
    d.code,
    d.display,
    coalesce(d.onset_date, d.recorded_date) as event_date,
    d.recorded_date,
    coalesce(d.status, 'active') = 'active' and coalesce(d.end_date >= p.as_of, true) as is_active,
    coalesce(d.status = 'active', false) and coalesce(d.end_date >= p.as_of, true) as is_stated_active,
    coalesce(d.status, 'active') as status
from pulled.diagnoses as d
inner join norm.patients as p on d.patient_id = p.patient_id
where
    d.violations = []
    and d.recorded_date <= p.as_of
    and coalesce(d.status, 'active') not in ('refuted', 'entered-in-error');

-- One row per usable procedure done by day D.
create or replace table norm.procedures as
select d.procedure_id, d.patient_id, d.code_system, d.code, d.display, d.performed_date
from pulled.procedures as d
inner join norm.patients as p on d.patient_id = p.patient_id
where
    d.violations = []
    and d.performed_date <= p.as_of
    and coalesce(d.status, 'completed') = 'completed';

-- One row per usable immunization given by day D.
create or replace table norm.immunizations as
select d.immunization_id, d.patient_id, d.code_system, d.code, d.display, d.given_date
from pulled.immunizations as d
inner join norm.patients as p on d.patient_id = p.patient_id
where
    d.violations = []
    and d.given_date <= p.as_of
    and coalesce(d.status, 'completed') = 'completed';

-- One row per distinct code of the extract's pulled rows and concept that it carries.
create or replace table norm.code_concepts as
with reported as (
    select distinct 'diagnoses' as source_table, code_system, code, case when code_system = 'LOCAL' then display end as display
    from pulled.diagnoses
    union all
    select distinct 'procedures', code_system, code, case when code_system = 'LOCAL' then display end
    from pulled.procedures
    union all
    select distinct 'immunizations', code_system, code, case when code_system = 'LOCAL' then display end
    from pulled.immunizations
),

keyed as (
    select
        *,
        case
            when code_system = 'CVX' then ltrim(trim(code), '0')
            else upper(regexp_replace(code, '[.\s]', '', 'g'))
        end as code_key,
        lower(display) as words
    from reported
),

matched as (
    select
        k.source_table,
        k.code_system,
        k.code,
        k.display,
        c.concept,
        min(c.attribution) as attribution   -- direct before possible
    from keyed as k
    inner join map.codes as c
        on k.code_system = c.code_system
        and (c."table" = k.source_table or (c."table" = 'both' and k.source_table <> 'immunizations'))
        and case c."match"
            when 'prefix' then starts_with(k.code_key, c.code_key)
            when 'exact' then k.code_key = c.code_key
            else contains(k.words, c.code_key)
        end
    group by all
)

select m.*
from matched as m
where
    m.concept <> 'infection'
    or not exists (
        select 1 from matched as other
        where
            other.concept = 'infection_not'
            and other.source_table = m.source_table
            and other.code_system = m.code_system
            and other.code = m.code
            and other.display is not distinct from m.display
    );

-- One row per usable row and concept that it carries.
create or replace table norm.conditions as
select
    d.patient_id, 'diagnoses' as source_table, d.diagnosis_id as row_id, c.concept, c.attribution,
    d.event_date, d.recorded_date as known_date, d.status, d.is_active, d.is_stated_active,
    d.code_system || ' ' || d.code as label
from norm.diagnoses as d
inner join norm.code_concepts as c
    on c.source_table = 'diagnoses' and d.code_system = c.code_system and d.code = c.code
    and c.display is not distinct from case when d.code_system = 'LOCAL' then d.display end
union all
select
    d.patient_id, 'procedures', d.procedure_id, c.concept, c.attribution,
    d.performed_date, d.performed_date, 'completed', false, false, d.code_system || ' ' || d.code
from norm.procedures as d
inner join norm.code_concepts as c
    on c.source_table = 'procedures' and d.code_system = c.code_system and d.code = c.code
    and c.display is not distinct from case when d.code_system = 'LOCAL' then d.display end
union all
select
    d.patient_id, 'immunizations', d.immunization_id, c.concept, c.attribution,
    d.given_date, d.given_date, 'completed', false, false, d.code_system || ' ' || d.code
from norm.immunizations as d
inner join norm.code_concepts as c
    on c.source_table = 'immunizations' and d.code_system = c.code_system and d.code = c.code
    and c.display is not distinct from case when d.code_system = 'LOCAL' then d.display end;
