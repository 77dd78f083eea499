-- One row per result of norm.reported_results with its value as an interval in the canonical unit, its serology and its viral load.
-- cause says why a row cannot be used; null: usable.
create or replace table norm.results as
with keyed as (
    select *, regexp_replace(coalesce(unit, ''), '\s', '', 'g') as unit_key
    from norm.reported_results
),

read as (
    select
        r.*,
        a.kind,
        a.canonical_unit,
        a.plausible_low,
        a.plausible_high,
        a.default_low,
        case when p.sex = 'male' then coalesce(a.default_high_male, a.default_high) else a.default_high end as default_high,
        t.comparator,
        t.number as reported_number,
        t.is_plain_integer,
        t.word,
        t.meaning,
        t.titre,
        u.factor is not null as is_unit_known,
        (t.number - u."offset") * u.factor as number,
        (r.reported_low - u."offset") * u.factor as own_low,
        (r.reported_high - u."offset") * u.factor as own_high,
        regexp_matches(lower(r.unit_key), '^(log|lg)') as is_log
    from keyed as r
    inner join norm.patients as p on r.patient_id = p.patient_id
    inner join map.analytes as a on r.analyte = a.analyte
    left join map.reported_texts as t on r.analyte = t.analyte and r.value = t.value
    left join map.units as u on r.analyte = u.analyte and u.unit_key in (r.unit_key, lower(r.unit_key))
),

scaled as (
    select
        *,
        case when reported_high > 0 then reported_high end as serology_limit,
        case when is_log then pow(10, case when reported_number > 300 then 300 else reported_number end) else reported_number end as load_number,
        case
            when is_log then pow(10, case when reported_high > 300 then 300 else reported_high end)
            when reported_high > 0 then reported_high
        end as load_limit
    from read
),

told as (
    select
        *,
        case
            when kind not like '%serology' then null
            when titre is not null then titre
            when meaning is not null then meaning
            when kind <> 'serology' or reported_number is null then null
            when serology_limit is not null
                then case greater(bounds(comparator, reported_number), serology_limit)
                    when true then 'positive' when false then 'negative' else 'equivocal'
                end
            when analyte = 'hcg_blood' and is_unit_known
                then case
                    when less(bounds(comparator, number), 5) then 'negative'
                    when at_least(bounds(comparator, number), 25) then 'positive'
                    else 'equivocal'
                end
            when flag in ('H', 'HH', 'A') then 'positive'
            when flag in ('N', 'L', 'LL') then 'negative'
        end as serology,
        case
            when kind <> 'viral load' then null
            when meaning = 'negative' then 'below'
            when word in (select word from map.words where viral_load = 'above') then 'above'
            when comparator in ('<', '<=')
                then case when round(load_number, 9) <= round(coalesce(load_limit, 1000), 9) then 'below' end
            when comparator in ('>', '>=') then 'above'
            when round(load_number, 9) > round(coalesce(load_limit, 0), 9) then 'above'
            when load_number is not null then 'below'
        end as viral_load
    from scaled
)

select
    source_table,
    row_id,
    patient_id,
    analyte,
    taken_at,
    taken_at::date as taken_date,
    status = 'corrected' as is_corrected,
    value,
    unit,
    trim(value) || case when unit_key = '' then '' else ' ' || trim(unit) end as shown,
    canonical_unit,
    number,
    bounds(comparator, number) as interval_,
    coalesce(own_low, default_low) as limit_low,
    case when own_high > 0 then own_high else default_high end as limit_high,
    own_low is null as is_default_low,
    coalesce(own_high <= 0, true) as is_default_high,
    serology,
    viral_load,
    is_on_oxygen,
    case
        when serology is not null or viral_load is not null then null
        when kind in ('serology', 'viral load') then 'unparsed'
        when reported_number is null or (analyte = 'sledai_total' and not is_plain_integer) then 'unparsed'
        when not is_unit_known then case when unit_key = '' then 'unit_missing' else 'unit_unknown' end
        when round(number, 9) < plausible_low or round(number, 9) > plausible_high then 'implausible'
    end as cause
from told;
