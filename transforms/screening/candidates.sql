-- Who may meet the classification without an SLE diagnosis: the points that raw rows leave possible are enough.
insert into run.considered
with possible as (
    from run.possible_items
    union
    select patient_id, concept from run.cohort_diagnoses where concept <> 'sle'
    union
    select patient_id, item_id from raw.chart_reviews where answer = 'yes'
),

domains as (
    select p.patient_id, i.domain, i.is_clinical, max(i.weight) as weight
    from possible as p
    inner join map.scored_items as i on p.item_id = i.item_id and i.scheme = 'classification'
    group by p.patient_id, i.domain, i.is_clinical
)

select d.patient_id, false as is_certain
from domains as d
inner join raw.patients as p on d.patient_id = p.patient_id
where p.violations = [] and d.patient_id not in (select patient_id from run.considered)
group by d.patient_id
having sum(d.weight) >= points_to_be_met() and bool_or(d.domain = 'entry') and bool_or(d.is_clinical);
