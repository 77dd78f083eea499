-- Adds to run.possible_items the items that screened results leave possible.
insert into run.possible_items
with reported as (
    select distinct analyte, unit, regexp_replace(coalesce(unit, ''), '\s', '', 'g') as unit_key
    from run.screened_results
),

units as (
    select r.analyte, r.unit, u.factor, u."offset"
    from reported as r
    inner join map.units as u on r.analyte = u.analyte and u.unit_key in (r.unit_key, lower(r.unit_key))
)

select distinct r.patient_id, m.item_id
from run.screened_results as r
inner join map.item_measures as m on r.analyte = m.analyte and m.scheme = 'classification'
inner join map.analytes as a on r.analyte = a.analyte
inner join map.screened_texts as t on r.analyte = t.analyte and r.value = t.value
left join units as u on r.analyte = u.analyte and r.unit is not distinct from u.unit
where case m.comparison
    when 'positive' then case
        when t.titre is not null then t.titre = 'positive'
        when t.meaning is not null then t.meaning = 'positive'
        when r.ref_high > 0 then greater(bounds(t.comparator, t.number), r.ref_high)
        else t.number is not null and r.flag in ('H', 'HH', 'A')
    end
    when 'above' then greater(bounds(t.comparator, (t.number - u."offset") * u.factor), m.threshold)
    when 'below' then less(bounds(t.comparator, (t.number - u."offset") * u.factor), m.threshold)
    when 'below limit'
        then less(bounds(t.comparator, (t.number - u."offset") * u.factor), coalesce((r.ref_low - u."offset") * u.factor, a.default_low))
end;
