-- One row per entry of the medication record, with the dose of pieces.sql. A running infusion is an administration of unknown dose;
-- what was not given, and what is no giving (a line stopped, a patch looked at), is kept as cancelled. A blank event with a dose is a
-- part of a dose and was given (such parts add up to the dose due); any other entry whose event is missing may or may not be a
-- giving: an as-needed statement of that day, which counts as [0, dose].
with unnamed as (
    select distinct pharmacy_id
    from src.emar
    where medication is null and pharmacy_id is not null
),

ordered as (
    select
        x.pharmacy_id,
        coalesce(
            string_agg(distinct x.drug, ' + ' order by x.drug) filter (where x.drug_type = 'MAIN'),
            string_agg(distinct x.drug, ' + ' order by x.drug)
        ) as drug
    from src.prescriptions as x
    semi join unnamed as u on x.pharmacy_id = u.pharmacy_id
    group by x.pharmacy_id
),

entries as (
    select
        e.emar_id,
        e.subject_id,
        try_cast(e.charttime as timestamp)::date as start_date,
        e.event_txt,
        coalesce(e.medication, p.medication, o.drug, d.product) as drug,
        coalesce(d.route, p.route) as route,
        d.dose as reported_dose,
        d.unit as reported_unit,
        v.meaning is null as is_event_unknown,
        case
            when v.meaning = 'given_if_dosed' then if(d.dose is null, 'unclear', 'given')
            else coalesce(v.meaning, 'unclear')
        end as meaning
    from src.emar as e
    left join door.pieces as d on e.emar_id = d.emar_id
    left join src.pharmacy as p on e.pharmacy_id = p.pharmacy_id
    left join ordered as o on e.pharmacy_id = o.pharmacy_id
    left join maps.emar_events as v on lower(coalesce(e.event_txt, '')) = lower(coalesce(v.event, ''))
),

mapped as (
    select
        n.*,
        case when n.meaning in ('given', 'unclear') then n.reported_dose * coalesce(k.factor, 1) end as dose,
        coalesce(k.to_unit, u.unit, n.reported_unit) as dose_unit,
        case when k.to_unit is not null then 'activity' else u.kind end as unit_kind,
        coalesce(r.route, n.route) as route_word,
        r.route is null as is_route_unknown
    from entries as n
    left join maps.dose_units as u on lower(n.reported_unit) = lower(u.reported)
    left join maps.strengths as k on lower(n.drug) = lower(k.drug) and lower(n.reported_unit) = lower(k.unit)
    left join maps.routes as r on upper(n.route) = r.reported
)

select
    'emar-' || emar_id as medication_id,
    subject_id as patient_id,
    drug as drug_name,
    route_word as route,
    dose as dose_value,
    dose_unit,
    case when meaning = 'unclear' then 1.0::double end as doses_per_day,
    start_date,
    start_date as end_date,
    case when meaning = 'unclear' then 'statement' else 'administration' end as kind,
    meaning = 'unclear' as as_needed,
    case when meaning in ('not_given', 'no_giving') then 'cancelled' else 'completed' end as status,
    nullif(concat_ws(
        ';',
        case when emar_id is null then 'lost:no_id' end,
        case when subject_id is null then 'lost:no_patient' end,
        reason(drug is null, 'lost:no_drug_name', event_txt),
        case when start_date is null then 'lost:no_date' end,
        reason(is_event_unknown, 'event_unknown', event_txt),
        reason(meaning = 'unclear', 'event_unclear', event_txt),
        case when meaning = 'given' and event_txt is null then 'blank_event_read_as_given' end,
        reason(meaning = 'not_given', 'not_given', event_txt),
        reason(meaning = 'no_giving', 'no_giving', event_txt),
        case when meaning = 'running' then 'infusion_dose_unknown' end,
        case when meaning in ('given', 'unclear') then nullif(concat_ws(
            ';',
            reason(dose is null, 'administered_dose_unknown', event_txt),
            reason(dose is not null and unit_kind is null, 'unit_unknown', dose_unit),
            reason(dose is not null and unit_kind in ('form', 'amount'), 'dose_not_in_mass', dose_unit),
            reason(is_route_unknown, 'route_unknown', route)
        ), '') end
    ), '') as unmapped
from mapped
