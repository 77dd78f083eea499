-- Rules on the latest usable result of an analyte. The greatest time counts; ties: corrected before final, then the greatest id.

-- One row per assessed patient: the latest usable result in its window (null where there is none), or else the outcome that remains.
-- days = null: the window of the blood counts, which depends on the phase.
create or replace macro latest_result(wanted, days) as table
with windows as (
    select
        patient_id,
        coalesce(as_of - days::integer, blood_from) as first_date,
        case when days::integer is null then blood_to else as_of end as last_date
    from norm.patients
),

recent as (
    select r.*
    from norm.results as r
    inner join windows as w on r.patient_id = w.patient_id and r.taken_date between w.first_date and w.last_date
    where r.analyte = wanted and not r.is_on_oxygen
),

picked as (
    select
        patient_id,
        max_by(recent, {'a': taken_at, 'b': is_corrected, 'c': row_id}) filter (where cause is null) as latest,
        list(cite(source_table, row_id, taken_date)) filter (where cause is not null) as unusable
    from recent
    group by patient_id
),

older as (
    select r.patient_id, max(r.taken_date) as older_date
    from norm.results as r
    inner join windows as w on r.patient_id = w.patient_id and r.taken_date not between w.first_date and w.last_date
    where r.analyte = wanted and not r.is_on_oxygen and r.cause is null
    group by r.patient_id
)

select
    w.patient_id,
    k.latest,
    case
        when k.latest is not null then null
        when k.unusable is not null
            then undecided('unusable_data', say('result.unusable_data', '@analyte.' || wanted, newest(k.unusable)), k.unusable)
        when o.older_date is not null then undecided('stale_data', say('result.stale_data', '@analyte.' || wanted, o.older_date))
        when not (select t.is_present from run.tables as t where t.table_name = (
            select case when a.kind = 'observation' then 'observations' else 'labs' end from map.analytes as a where a.analyte = wanted
        )) then undecided('table_absent', say('result.table_absent', '@analyte.' || wanted))
        else undecided('missing_data', say('result.missing_data', '@analyte.' || wanted))
    end as nothing
from windows as w
left join picked as k on w.patient_id = k.patient_id
left join older as o on w.patient_id = o.patient_id;

create or replace macro cited(latest) as [cite(latest.source_table, latest.row_id, latest.taken_date)];
-- The value as it came, with its unit; the units of no dimension (1, {titer}) are left out.
create or replace macro shown(latest) as
    trim(latest.value) || coalesce(' ' || nullif(regexp_replace(trim(latest.unit), '^(1|\{.*\})$', ''), ''), '');
create or replace macro analyte_of(latest) as '@analyte.' || latest.analyte;

-- The latest result against a fixed limit; is_met is what the comparison of its interval gave: true, false or null (censored).
create or replace macro judge(latest, nothing, is_met, threshold) as case
    when latest is null then nothing
    when is_met then passed(say('result.met', analyte_of(latest), shown(latest), latest.taken_date, threshold), cited(latest))
    when not is_met
        then failed(say('result.not_met', analyte_of(latest), shown(latest), latest.taken_date, threshold), cited(latest), 'changeable')
    else undecided('censored', say('result.censored', analyte_of(latest), shown(latest), latest.taken_date, threshold), cited(latest))
end;

-- The latest result against a multiple of the upper limit of normal of its own row, else of the analyte's default range, which
-- the sentence says by a key of its own.
create or replace macro judge_times_limit(latest, nothing, multiple) as case
    when latest is null then nothing
    when latest.limit_high is null
        then undecided('unusable_data', say('result.no_limit', analyte_of(latest), shown(latest), latest.taken_date), cited(latest))
    else judge(
        latest,
        nothing,
        at_most(latest.interval_, multiple * latest.limit_high),
        '≤ ' || multiple::double || ' × ' || round(latest.limit_high, 2)
            || case when latest.is_default_high then ' @result.default_range' else '' end
    )
end;

-- A blood count in its window against a least value in the analyte's canonical unit.
create or replace macro blood_count_at_least(wanted, threshold) as table
select
    patient_id,
    judge(
        latest,
        nothing,
        at_least(latest.interval_, threshold),
        '≥ ' || threshold || coalesce(' ' || u.canonical_unit, '')
    ) as outcome
from latest_result(wanted, null)
inner join map.analytes as u on u.analyte = wanted;

-- One sentence and the row of a serology or viral load result.
create or replace macro said_result(latest) as say('result.is', analyte_of(latest), shown(latest), latest.taken_date);

-- Cockcroft–Gault in mL/min as an interval: a sex other than male or female, an age of two years, a censored weight or creatinine give
-- bounds. Creatinine is in µmol/L, weight in kg.
create or replace macro cockcroft_gault_at(age, factor, weight_kg, creatinine) as case
    when creatinine = 0 then 'infinity'::double
    when isinf(creatinine) then 0
    else (140 - age) * weight_kg * factor / (72 * creatinine / 88.42)
end;
create or replace macro cockcroft_gault(sex, age_low, age_high, weight, creatinine) as {
    'low': cockcroft_gault_at(
        age_high, case when sex = 'male' then 1 else 0.85 end, weight.interval_.low, creatinine.interval_.high
    ),
    'high': cockcroft_gault_at(
        age_low, case when sex = 'female' then 0.85 else 1 end, weight.interval_.high, creatinine.interval_.low
    ),
    'is_low_open': weight.interval_.is_low_open or creatinine.interval_.is_high_open,
    'is_high_open': weight.interval_.is_high_open or creatinine.interval_.is_low_open
};
create or replace macro estimate_is_censored(creatinine, weight) as
    creatinine.interval_.low <> creatinine.interval_.high or weight.interval_.low <> weight.interval_.high;
create or replace macro said_estimate(estimate, creatinine, weight) as say(
    'kidney.estimate',
    case
        when estimate.low = estimate.high then round(estimate.low, 1)::varchar
        else round(estimate.low, 1) || '–' || round(estimate.high, 1)
    end,
    shown(creatinine),
    creatinine.taken_date,
    shown(weight),
    weight.taken_date
);

-- A virus is active when its IgM is positive or its DNA is above normal; both results are needed to rule it out.
create or replace macro active_virus(igm_analyte, dna_analyte) as table
select
    i.patient_id,
    case
        when i.latest.serology = 'positive' and d.latest.viral_load = 'above'
            then failed(said_result(i.latest) || said_result(d.latest), cited(i.latest) || cited(d.latest), 'changeable')
        when i.latest.serology = 'positive' then failed(said_result(i.latest), cited(i.latest), 'changeable')
        when d.latest.viral_load = 'above' then failed(said_result(d.latest), cited(d.latest), 'changeable')
        when i.latest.serology = 'equivocal' then to_review('needs_attribution', said_result(i.latest), cited(i.latest))
        when i.latest is not null and d.latest is not null
            then passed(said_result(i.latest) || said_result(d.latest), cited(i.latest) || cited(d.latest))
        when i.latest is null and d.latest is null then settle([i.nothing, d.nothing])
        when i.latest is null then i.nothing
        else d.nothing
    end as outcome
from latest_result(igm_analyte, param('viral_days')) as i
inner join latest_result(dna_analyte, param('viral_days')) as d on i.patient_id = d.patient_id;

-- A descriptor of SLEDAI-2K or an item of the classification that is present: its points, and the newest row that shows it.
create or replace macro said_item(item_id, weight, told) as case
    when told.shown is null then say('item.charted', '@item.' || item_id, weight, told.on_date)
    when told.is_default then say('item.present_default', '@item.' || item_id, weight, told.shown, told.on_date)
    else say('item.present', '@item.' || item_id, weight, told.shown, told.on_date)
end;
