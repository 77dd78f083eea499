-- Who may meet the classification without an SLE diagnosis: ANA may be positive, and the points that raw rows leave possible are enough.
-- Generous on purpose, since settling decides: status, date and quarantine are not read, and items of everyday tests count as present.
insert into run.considered
with of_labs as (
    select distinct r.patient_id, m.item_id
    from run.screened_labs as r
    inner join map.item_measures as m on r.analyte = m.analyte and m.scheme = 'classification'
    inner join map.analytes as a on r.analyte = a.analyte
    inner join map.screened_texts as t on r.analyte = t.analyte and r.value = t.value
    left join map.units as u
        on r.analyte = u.analyte
        and u.unit_key in (regexp_replace(coalesce(r.unit, ''), '\s', '', 'g'), lower(regexp_replace(coalesce(r.unit, ''), '\s', '', 'g')))
    where case m.comparison
        when 'positive' then case
            when t.titre is not null then t.titre = 'positive'
            when t.meaning is not null then t.meaning = 'positive'
            when r.ref_high > 0 then greater(bounds(t.comparator, t.number), r.ref_high)
            else t.number is not null
        end
        when 'below limit'
            then less(bounds(t.comparator, (t.number - u."offset") * u.factor), coalesce((r.ref_low - u."offset") * u.factor, a.default_low))
        else true
    end
),

possible as (
    from of_labs
    union
    select patient_id, concept as item_id from run.cohort_diagnoses
    union
    select patient_id, item_id from raw.chart_reviews where answer = 'yes' and starts_with(item_id, 'C-')
    union
    select l.patient_id, i.item_id
    from of_labs as l
    cross join map.scored_items as i
    where l.item_id = 'ANA' and i.scheme = 'classification' and not i.is_screened
),

points as (
    select p.patient_id, i.domain, max(i.weight) as weight
    from possible as p
    inner join map.scored_items as i on p.item_id = i.item_id and i.scheme = 'classification'
    group by p.patient_id, i.domain
)

select p.patient_id, false as is_certain
from points as p
inner join raw.patients as r on p.patient_id = r.patient_id
where r.violations = [] and p.patient_id not in (select patient_id from run.considered)
group by p.patient_id
having sum(p.weight) >= points_to_be_met() and bool_or(p.domain = 'entry');
