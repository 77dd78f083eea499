-- One row per prescribed drug (kind order), with the frequency and status of its pharmacy entry, and one per pharmacy entry that no
-- prescription names. Rules:
-- * taken from the day it starts to the day it stops (a stop at 00:00: to the day before); a single dose on the day it starts;
-- * an order that stops before it starts never ran: cancelled;
-- * a dose range '5-10' of a mass, or a frequency that may be repeated, becomes two rows that together say exactly [low, high]: the low
--   as it is and, as needed, the difference (row '…-range'); as needed itself, or a range from 0, is one as-needed row of the high end;
--   a range of anything but a mass has no dose (two rows would tear one heparin dose apart);
-- * two rows alike in all that is read (one drug in two packs) have one id and, by the contract, count once;
-- * a drug whose frequency tells no number of doses a day ('ASDIR', 'TITRATE TO') has no doses_per_day.
with sources as (
    select
        'rx-' || coalesce(x.pharmacy_id, 'none') || '-' || left(md5(concat_ws(
            '|', coalesce(x.subject_id, ''), coalesce(x.starttime, ''), coalesce(x.stoptime, ''), coalesce(x.drug_type, ''),
            coalesce(x.drug, ''), coalesce(x.prod_strength, ''), coalesce(x.dose_val_rx, ''), coalesce(x.dose_unit_rx, ''),
            coalesce(x.doses_per_24_hrs, ''), coalesce(x.route, '')
        )), 12) as row_key,
        x.subject_id,
        x.starttime,
        x.stoptime,
        x.drug_type,
        x.drug,
        x.dose_val_rx,
        x.dose_unit_rx,
        coalesce(x.route, p.route) as route,
        p.frequency,
        p.status,
        coalesce(nullif(try_cast(p.doses_per_24_hrs as double), 0), nullif(try_cast(x.doses_per_24_hrs as double), 0)) as doses_per_24_hrs
    from src.prescriptions as x
    left join src.pharmacy as p on x.pharmacy_id = p.pharmacy_id
    union all
    select
        'ph-' || p.pharmacy_id as row_key,
        p.subject_id,
        p.starttime,
        p.stoptime,
        'PHARMACY' as drug_type,
        p.medication as drug,
        null as dose_val_rx,
        null as dose_unit_rx,
        p.route,
        p.frequency,
        p.status,
        nullif(try_cast(p.doses_per_24_hrs as double), 0) as doses_per_24_hrs
    from src.pharmacy as p
    anti join src.prescriptions as x on p.pharmacy_id = x.pharmacy_id
),

mapped as (
    select
        n.*,
        try_cast(n.starttime as timestamp) as starts_at,
        try_cast(n.stoptime as timestamp) as stops_at,
        dose_bounds(n.dose_val_rx)[1] * coalesce(k.factor, 1) as dose_low,
        dose_bounds(n.dose_val_rx)[2] * coalesce(k.factor, 1) as dose_high,
        coalesce(k.to_unit, u.unit, n.dose_unit_rx) as dose_unit,
        case when k.to_unit is not null then 'activity' else u.kind end as unit_kind,
        case when n.frequency is not null then coalesce(f.is_as_needed, contains(upper(n.frequency), 'PRN')) end as is_as_needed,
        coalesce(f.is_once, false) as is_once,
        case when n.frequency is not null then least(f.low_per_day, n.doses_per_24_hrs) end as per_day_low,
        case when n.frequency is not null then greatest(f.high_per_day, n.doses_per_24_hrs) end as per_day_high,
        coalesce(r.route, n.route) as route_word,
        r.route is null as is_route_unknown,
        s.status as order_status
    from sources as n
    left join maps.dose_units as u on lower(n.dose_unit_rx) = lower(u.reported)
    left join maps.strengths as k on lower(n.drug) = lower(k.drug) and lower(n.dose_unit_rx) = lower(k.unit)
    left join maps.frequencies as f on upper(regexp_replace(n.frequency, '\s+', ' ', 'g')) = f.frequency
    left join maps.routes as r on upper(n.route) = r.reported
    left join maps.order_status as s on n.status = s.reported
),

shaped as (
    select
        *,
        starts_at::date as start_date,
        stops_at < starts_at as is_cancelled,
        dose_high > dose_low as has_dose_range,
        dose_high > dose_low or per_day_high > per_day_low as has_range,
        case
            when stops_at < starts_at or not dose_high >= dose_low then 'plain'
            when is_as_needed then 'upper'
            when dose_high > dose_low and dose_low = 0 and per_day_high is not null then 'upper'
            when (dose_high > dose_low or per_day_high > per_day_low) and unit_kind = 'mass' and dose_low > 0 and per_day_low > 0 then 'split'
            else 'plain'
        end as shape
    from mapped
),

parts as (
    select
        *,
        unnest(case when shape = 'split' then ['', '-range'] else [''] end) as part
    from shaped
)

select
    row_key || part as medication_id,
    subject_id as patient_id,
    drug as drug_name,
    route_word as route,
    case
        when part = '-range' then round((dose_high * per_day_high - dose_low * per_day_low) / per_day_high, 9)
        when shape = 'split' then dose_low
        when shape = 'upper' then dose_high
        when dose_low = dose_high then dose_low
    end as dose_value,
    dose_unit,
    case
        when part = '-range' or shape = 'upper' then per_day_high
        when shape = 'split' then per_day_low
        when per_day_low = per_day_high then per_day_low
        when is_as_needed then per_day_high
    end as doses_per_day,
    start_date,
    case
        when is_cancelled then null
        when is_once and not is_as_needed then start_date
        when stops_at = date_trunc('day', stops_at) then greatest(start_date, stops_at::date - 1)
        else stops_at::date
    end as end_date,
    'order' as kind,
    coalesce(is_as_needed, false) or shape = 'upper' or part = '-range' as as_needed,
    case when is_cancelled then 'cancelled' else order_status end as status,
    nullif(concat_ws(
        ';',
        case when row_key is null then 'lost:no_id' end,
        case when subject_id is null then 'lost:no_patient' end,
        reason(drug is null, 'lost:no_drug_name', drug_type),
        case when starts_at is null then 'lost:no_date' end,
        case when part = '-range' then 'second_row_of_range' end,
        case when drug_type = 'BASE' then 'diluent' end,
        case when drug_type = 'PHARMACY' then 'no_prescription' end,
        case when is_cancelled then 'stopped_before_start' when stops_at is null then 'no_stop' end,
        case when part = '-range' or drug_type = 'BASE' or is_cancelled then null else nullif(concat_ws(
            ';',
            case
                when dose_val_rx is null then 'no_dose'
                when dose_low is null or dose_high is null or dose_high < dose_low then 'dose_unreadable'
            end,
            reason(dose_low is not null and dose_unit is null, 'unit_unknown', null),
            reason(dose_low is not null and dose_unit is not null and unit_kind is null, 'unit_unknown', dose_unit),
            reason(dose_low is not null and unit_kind in ('form', 'amount'), 'dose_not_in_mass', dose_unit),
            reason(has_dose_range and shape <> 'plain', 'dose_range', dose_unit),
            reason(has_dose_range and shape = 'plain', 'dose_range_unknown', dose_unit),
            reason(per_day_high is null, 'frequency_unknown', frequency),
            reason(not is_as_needed and per_day_high > per_day_low, 'frequency_range', frequency),
            reason(is_route_unknown, 'route_unknown', route),
            reason(status is not null and order_status is null, 'status_unknown', status)
        ), '') end
    ), '') as unmapped
from parts
