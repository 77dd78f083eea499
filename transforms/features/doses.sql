-- Daily doses of glucocorticoids and listed immunosuppressants as bounds, day by day over the last 365 days (protocol §3.1).
-- Days are never listed one by one: rows are laid over runs of days between which no row begins or ends.

-- One row per patient and day with a usable body weight: the latest of that day, in kg; low and high are its bounds where it is censored.
create or replace table feat.weights as
select
    patient_id,
    taken_date,
    max_by(
        {'kg': number, 'low': interval_.low, 'high': interval_.high},
        {'at': taken_at, 'is_corrected': is_corrected, 'row_id': row_id}
    ) as weight
from norm.results
where analyte = 'body_weight' and cause is null
group by patient_id, taken_date;

-- One row per systemic medication row and ingredient of these classes that holds or covers one of the last 365 days (or that has neither
-- an end nor a route: feat.run_out asks for its route group): its daily dose in mg as bounds. drug: what doses are added up over, all
-- glucocorticoids or one immunosuppressant; part: its ingredient and route group.
-- in_force: which rows make the dose of a day, the greatest first; null: as needed, which stands outside that choice and covers no day.
-- pulse_until: the last day that one dose covers, for drugs given so far apart that their daily dose says nothing.
create or replace table feat.row_doses as
with running as materialized (
    select
        row_number() over () as row_no,
        m.patient_id, m.medication_id, m.as_of, m."class", m.ingredient, m.route, m.route_group, m.kind, m.start_date, m.last_date,
        m.is_open, m.is_as_needed, d.prednisone_factor, c.days as days_per_dose,
        case when m.dose_value > 0 then m.dose_value * u.mg end as single_mg,
        coalesce(u.is_per_kg, false) as is_per_kg,
        case when m.kind = 'administration' then 1 else m.doses_per_day end as times,
        case
            when m.kind = 'dispense' and m.quantity > 0 and m.strength_value > 0 and not s.is_per_kg
                then m.quantity * (m.strength_value * s.mg) / m.days_supply
        end as dispensed_mg
    from norm.medications as m
    inner join map.drugs as d on m.ingredient = d.ingredient
    left join map.drug_coverage as c on m.ingredient = c.ingredient and m.route = c.route
    left join map.dose_units as u on m.dose_unit = u.unit
    left join map.dose_units as s on m.strength_unit = s.unit
    where
        m."class" in ('glucocorticoid', 'immunosuppressant')
        and m.route_group <> 'local'
        and (
            greatest(m.last_date, m.start_date + c.days - 1) >= m.as_of - 364
            or (m.is_open and m.route is null and d.prednisone_factor is not null)
        )
),

-- The latest weight on or before the start, within 365 days of it.
weighed as (
    select r.row_no, max_by(w.weight, w.taken_date) as weight
    from running as r
    inner join feat.weights as w on r.patient_id = w.patient_id and within(w.taken_date, r.start_date, to_days(365))
    where r.is_per_kg
    group by r.row_no
),

bounded as (
    select
        r.*,
        r.single_mg * r.times * case when r.is_per_kg then w.weight.low else 1 end as stated_low,
        r.single_mg * r.times * case when r.is_per_kg then w.weight.high else 1 end as stated_high,
        case when r.is_as_needed then 0 else coalesce(stated_low, r.dispensed_mg, 0) end as low_mg,
        coalesce(stated_high, r.dispensed_mg, 'infinity') as high_mg
    from running as r
    left join weighed as w on r.row_no = w.row_no
),

routed as (
    select
        * replace (
            case
                when route is null and route_group = 'oral' and round(low_mg * prednisone_factor, 9) > 100 then 'parenteral'
                else route_group
            end as route_group
        )
    from bounded
)

select
    row_no,
    patient_id,
    medication_id,
    as_of,
    "class",
    ingredient,
    case "class" when 'glucocorticoid' then 'glucocorticoid' else ingredient end as drug,
    route_group,
    hash(ingredient, route_group) as part,
    start_date,
    last_date,
    case when days_per_dose is not null and not is_as_needed then start_date + days_per_dose - 1 end as pulse_until,
    is_open,
    is_as_needed,
    low_mg,
    high_mg,
    coalesce(prednisone_factor, 1) as factor,
    case
        when is_as_needed then null
        when kind = 'administration' then 1000000
        else 4 * (start_date - date '1900-01-01') + list_position(['statement', 'order', 'dispense'], kind)
    end as in_force
from routed;

-- One row per patient, drug and run of days between which none of its rows begins or ends, over the last 365 days without a gap;
-- glucocorticoids for every patient.
create or replace table feat.runs as
with days as (
    select patient_id, drug, start_date as day from feat.row_doses
    union
    select patient_id, drug, unnest([as_of - 364, as_of + 1, last_date + 1, pulse_until + 1]) from feat.row_doses
    union
    select patient_id, 'glucocorticoid', unnest([as_of - 364, as_of + 1]) from norm.patients
)

select
    row_number() over every_day as run_no,
    d.patient_id,
    d.drug,
    d.day as start_date,
    lead(d.day) over every_day - 1 as end_date
from days as d
inner join norm.patients as p on d.patient_id = p.patient_id
where d.day between p.as_of - 364 and p.as_of + 1
window every_day as (order by d.patient_id, d.drug, d.day)
qualify d.day <= p.as_of;   -- the day after day D is there to end the last run

-- One row per run of days and row of feat.row_doses that makes its dose (is_counted) or covers it by days per dose (is_pulse). Of the
-- rows of one ingredient and route group that hold the days those most in force count, beside those as needed.
create or replace table feat.dose_rows as
with held as (
    select
        r.run_no, d.row_no, d.part, d.low_mg * d.factor as low_mg, d.high_mg * d.factor as high_mg, d.in_force, d.route_group = 'oral' as is_oral,
        d.last_date >= r.start_date as is_held,
        coalesce(d.pulse_until >= r.start_date, false) as is_in_pulse,
        d.pulse_until is not null as is_pulse
    from feat.runs as r
    inner join feat.row_doses as d
        on r.patient_id = d.patient_id and r.drug = d.drug and r.start_date between d.start_date and greatest(d.last_date, d.pulse_until)
)

select
    run_no,
    row_no,
    is_oral,
    low_mg,
    high_mg,
    in_force is not null as is_covering,
    is_in_pulse,
    is_pulse,
    is_held and (
        in_force is null
        or in_force = max(in_force) filter (where is_held) over (partition by run_no, part)
    ) as is_counted
from held
qualify is_counted or is_pulse;

-- One row per patient, drug and run of days: its daily dose as bounds, infinite where the upper one is not known. Glucocorticoids in mg of
-- prednisone-equivalent, systemic (oral and parenteral) and oral; immunosuppressants in mg.
create or replace table feat.doses as
with summed as (
    select
        run_no,
        sum(low_mg) filter (where is_counted) as low_mg,
        sum(high_mg) filter (where is_counted) as high_mg,
        sum(low_mg) filter (where is_counted and is_oral) as oral_low_mg,
        sum(high_mg) filter (where is_counted and is_oral) as oral_high_mg,
        bool_or(is_covering) as is_covered,
        bool_or(is_pulse) as is_pulse,
        bool_or(is_in_pulse) as is_in_pulse
    from feat.dose_rows
    group by run_no
)

select
    r.run_no,
    r.patient_id,
    r.drug,
    r.start_date,
    r.end_date,
    round(coalesce(s.low_mg, 0), 9) as low_mg,
    round(coalesce(s.high_mg, 0), 9) as high_mg,
    round(coalesce(s.oral_low_mg, 0), 9) as oral_low_mg,
    round(coalesce(s.oral_high_mg, 0), 9) as oral_high_mg,
    coalesce(s.is_covered, false) as is_covered,
    coalesce(s.is_pulse, false) as is_pulse,
    coalesce(s.is_in_pulse, false) as is_in_pulse
from feat.runs as r
left join summed as s on r.run_no = s.run_no;

-- One row per patient and maximal run of days with the same glucocorticoid doses, in mg of prednisone-equivalent, over the last 365 days;
-- an upper bound that is not known is null.
create or replace table feat.gc_timeline as
with marked as (
    select
        *,
        (
            (oral_low_mg, oral_high_mg, low_mg, high_mg)
            is distinct from lag((oral_low_mg, oral_high_mg, low_mg, high_mg)) over (partition by patient_id order by start_date)
        ) as is_new
    from feat.doses
    where drug = 'glucocorticoid'
),

numbered as (
    select *, sum(is_new::integer) over (partition by patient_id order by start_date rows unbounded preceding) as stretch
    from marked
)

select
    patient_id,
    min(start_date) as start_date,
    max(end_date) as end_date,
    any_value(oral_low_mg) as oral_low,
    any_value(case when isfinite(oral_high_mg) then oral_high_mg end) as oral_high,
    any_value(low_mg) as systemic_low,
    any_value(case when isfinite(high_mg) then high_mg end) as systemic_high
from numbered
group by patient_id, stretch;
