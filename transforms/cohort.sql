-- Who is assessed for certain: patients with an SLE diagnosis known on day D, or whose chart says so; with P:cohort = all, everyone.
-- Who is assessed for a met classification is found by screening.sql and settled after it was derived.

-- One row per code of the extract's diagnoses and set that may lead into the cohort: SLE, or one of the classification without doubt.
create or replace table run.cohort_codes as
select distinct d.code_system, d.code, d.words, c.concept
from (
    select distinct code_system, code, case when code_system = 'LOCAL' then lower(display) end as words
    from raw.diagnoses
) as d
inner join map.codes as c
    on d.code_system = c.code_system and c."table" in ('diagnoses', 'both')
    and case c."match"
        when 'prefix' then starts_with(upper(regexp_replace(d.code, '[.\s]', '', 'g')), c.code_key)
        when 'exact' then upper(regexp_replace(d.code, '[.\s]', '', 'g')) = c.code_key
        else contains(d.words, c.code_key)
    end
left join map.scored_items as i on c.concept = i.item_id and i.scheme = 'classification' and i.is_coded
where c.concept = 'sle' or (i.item_id is not null and c.attribution = 'direct');

-- One row per patient and such set with a usable diagnosis known on day D.
create or replace table run.cohort_diagnoses as
select distinct d.patient_id, c.concept
from raw.diagnoses as d
inner join raw.patients as p on d.patient_id = p.patient_id
inner join run.cohort_codes as c
    on d.code_system = c.code_system and d.code = c.code
    and c.words is not distinct from case when d.code_system = 'LOCAL' then lower(d.display) end
where
    d.violations = []
    and d.recorded_date <= p.as_of
    and coalesce(d.status, 'active') not in ('refuted', 'entered-in-error');

-- One row per patient whose rows are pulled; is_certain: assessed whatever the classification says.
create or replace table run.considered as
with charted as (
    select r.patient_id
    from raw.chart_reviews as r
    inner join raw.patients as p on r.patient_id = p.patient_id
    where
        r.item_id = 'I01'
        and r.violations = []
        and r.reviewed_date <= p.as_of
        and coalesce(r.valid_until >= p.as_of, true)
    qualify row_number() over (partition by r.patient_id order by r.reviewed_date desc, r.review_id desc) = 1
        and r.answer = 'yes'
)

select p.patient_id, true as is_certain
from raw.patients as p
where
    p.violations = []
    and (
        (select value from run.parameters where name = 'cohort') = 'all'
        or p.patient_id in (select patient_id from run.cohort_diagnoses where concept = 'sle')
        or p.patient_id in (from charted)
    );
