-- One row per assessed patient: day D, age on it as an interval of whole years, and the window of the blood counts.
create or replace table norm.patients as
select
    patient_id,
    sex,
    birth_date,
    birth_year,
    death_date,
    as_of,
    case
        when birth_date is not null
            then year(as_of) - year(birth_date)
                - ((month(as_of), day(as_of)) < (month(birth_date), day(birth_date)))::integer
        else year(as_of) - birth_year - 1
    end as age_low,
    case
        when birth_date is not null
            then year(as_of) - year(birth_date)
                - ((month(as_of), day(as_of)) < (month(birth_date), day(birth_date)))::integer
        else year(as_of) - birth_year
    end as age_high,
    coalesce(run.collection_date, as_of) as collection_date,
    case when run.phase = 'collection' then run.collection_date - 3 else as_of - param('blood_days') end as blood_from,
    least(as_of, case when run.phase = 'collection' then run.collection_date else as_of end) as blood_to
from pulled.patients
cross join run.settings as run;

-- One row per chart review that is known on day D; is_valid: it holds on it.
create or replace table norm.known_reviews as
select
    r.review_id,
    r.patient_id,
    r.item_id,
    r.answer,
    r.reviewed_date,
    case
        when r.valid_until is not null then r.valid_until >= p.as_of
        when v.holds = 'for ever' then true
        when v.holds = 'descriptor window' then within(r.reviewed_date, p.as_of, to_days(param('sledai_window_days')))
        else within(r.reviewed_date, p.as_of, to_days(param('review_days')))
    end as is_valid
from pulled.chart_reviews as r
inner join norm.patients as p on r.patient_id = p.patient_id
left join map.review_validity as v on r.item_id = v.item_id
where r.violations = [] and r.reviewed_date <= p.as_of;

-- One row per patient and item reviewed: the latest review that holds on day D.
create or replace table norm.reviews as
select review_id, patient_id, item_id, answer, reviewed_date
from norm.known_reviews
where is_valid
qualify row_number() over (partition by patient_id, item_id order by reviewed_date desc, review_id desc) = 1;

-- One row per patient with a disposition: the latest one known on day D.
create or replace table norm.dispositions as
select
    d.disposition_id,
    d.patient_id,
    d.status,
    d.recorded_date
from pulled.dispositions as d
inner join norm.patients as p on d.patient_id = p.patient_id
where d.violations = [] and d.recorded_date <= p.as_of
qualify row_number() over (partition by d.patient_id order by d.recorded_date desc, d.disposition_id desc) = 1;
