-- Who is assessed: patients with an SLE diagnosis known on day D, or whose chart says so; with P:cohort = all, everyone.
create or replace table run.cohort as
with sle_codes as (
    select distinct d.code_system, d.code, d.words
    from (
        select distinct code_system, code, case when code_system = 'LOCAL' then lower(display) end as words
        from raw.diagnoses
    ) as d
    inner join map.codes as c
        on c.concept = 'sle' and d.code_system = c.code_system and c."table" in ('diagnoses', 'both')
        and case c."match"
            when 'prefix' then starts_with(upper(regexp_replace(d.code, '[.\s]', '', 'g')), c.code_key)
            when 'exact' then upper(regexp_replace(d.code, '[.\s]', '', 'g')) = c.code_key
            else contains(d.words, c.code_key)
        end
),

coded as (
    select distinct d.patient_id
    from raw.diagnoses as d
    inner join raw.patients as p on d.patient_id = p.patient_id
    inner join sle_codes as s
        on d.code_system = s.code_system and d.code = s.code
        and s.words is not distinct from case when d.code_system = 'LOCAL' then lower(d.display) end
    where
        d.violations = []
        and d.recorded_date <= p.as_of
        and coalesce(d.status, 'active') not in ('refuted', 'entered-in-error')
),

charted as (
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

select p.patient_id
from raw.patients as p
where
    p.violations = []
    and (
        (select value from run.parameters where name = 'cohort') = 'all'
        or p.patient_id in (from coded)
        or p.patient_id in (from charted)
    );
