-- One row per result of norm.reported_results with its value as an interval in the canonical unit, its serology and its viral load.
-- cause says why a row cannot be used; null: usable. A count per field that was reported in another unit is usable where it is within its own
-- range (not high); it then has no number. Needs map.reported_texts.
create or replace table norm.results as
with read as (
    select
        r.*,
        a.is_serology,
        a.is_number,
        a.is_viral_load,
        a.canonical_unit = '/HPF' as is_per_field,
        a.plausible_low,
        a.plausible_high,
        a.default_low,
        case when r.sex = 'male' then coalesce(a.default_high_male, a.default_high) else a.default_high end as default_high,
        t.comparator,
        t.number as reported_number,
        t.is_plain_integer,
        t.meaning,
        t.viral_load_word,
        t.titre,
        u.factor is not null as is_unit_known,
        u.is_missing as is_unit_missing,
        u.is_log,
        (t.number - u."offset") * u.factor as number,
        (r.reported_low - u."offset") * u.factor as own_low,
        (r.reported_high - u."offset") * u.factor as own_high
    from norm.reported_results as r
    inner join map.analytes as a on r.analyte = a.analyte
    left join map.reported_texts as t on r.analyte = t.analyte and r.value = t.value
    left join map.reported_units as u on r.analyte = u.analyte and r.unit is not distinct from u.unit
),

told as (
    select
        *,
        case
            when not is_serology then null
            when titre is not null then titre
            when meaning is not null then meaning
            when is_number or reported_number is null then null
            when reported_high > 0
                then case greater(bounds(comparator, reported_number), reported_high)
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
            when not is_viral_load then null
            when meaning is not null then viral_load_word
            when comparator in ('<', '<=')
                then case when viral_number(reported_number, is_log) <= coalesce(viral_limit(reported_high, is_log), 1000) then 'below' end
            when comparator in ('>', '>=') then 'above'
            when viral_number(reported_number, is_log) > coalesce(viral_limit(reported_high, is_log), 0) then 'above'
            when reported_number is not null then 'below'
        end as viral_load
    from read
)

select
    row_number() over () as result_no,
    source_table,
    row_id,
    patient_id,
    analyte,
    taken_at,
    taken_at::date as taken_date,
    is_corrected,
    value,
    unit,
    number,
    case when is_number then bounds(comparator, number) end as interval_,
    coalesce(own_low, default_low) as limit_low,
    case when own_high > 0 then own_high else default_high end as limit_high,
    own_low is null as is_default_low,
    coalesce(own_high <= 0, true) as is_default_high,
    serology,
    viral_load,
    is_on_oxygen,
    case
        when serology is not null or viral_load is not null then null
        when not is_number then 'unparsed'
        when reported_number is null or (analyte = 'sledai_total' and not is_plain_integer) then 'unparsed'
        when not is_unit_known
            then case
                when is_unit_missing then 'unit_missing'
                when is_per_field and reported_high > 0 and at_most(bounds(comparator, reported_number), reported_high) then null
                else 'unit_unknown'
            end
        when round(number, 9) < plausible_low or round(number, 9) > plausible_high then 'implausible'
    end as cause
from told;
