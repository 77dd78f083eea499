-- Which days medications cover, and which rows leave it open whether a drug is still taken (protocol §3.1).

-- One row per medication row and ingredient that covers one of the last 60 days: to the end of its interval or, for drugs with days per
-- dose by its route (biologics without a route: the first listed), of the days that its dose covers. last_date may lie after day D.
-- goes_on: taken on after day D. Rows as needed cover no day; flushes are no use.
create or replace table feat.coverage as
select
    m.patient_id,
    m.medication_id,
    m."class",
    m.ingredient,
    m.route_group <> 'local' as is_systemic,
    m.start_date,
    greatest(m.last_date, m.start_date + c.days - 1) as last_date,
    m.last_date > m.as_of or (m.is_open and m.last_date = m.as_of) as goes_on
from norm.medications as m
left join map.drug_coverage as c
    on m.ingredient = c.ingredient
    and case when m.route is null and m."class" = 'biologic' then c.position = 0 else m.route = c.route end
where
    not m.is_as_needed
    and not m.is_uncounted
    and greatest(m.last_date, m.start_date + c.days - 1) >= m.as_of - 60;

-- One row per medication row and ingredient without an end that only the limit for such rows ended, within 730 days (short courses: 90),
-- and that no later row of the ingredient follows: it may still be taken. uses_of_row: how items count such a row.
create or replace table feat.run_out as
with ended as (
    select *
    from norm.medications
    where
        is_open
        and not is_uncounted
        and last_date < as_of
        and last_date >= as_of - case when is_short_course then 90 else 730 end
)

select
    e.patient_id,
    e.medication_id,
    e.start_date,
    list_transform(
        list_filter(
            [
                case when not e.is_as_needed then 'any' end,
                case when not e.is_as_needed and e.route_group <> 'local' then 'systemic' end,
                case when not e.is_as_needed and (e.route = 'iv' or (e.route is null and e.route_group <> 'local')) then 'intravenous' end,
                case when e.route_group <> 'local' then 'dose' end,
                case when coalesce(d.route_group, e.route_group) = 'oral' then 'oral dose' end
            ],
            lambda way: way is not null
        ),
        lambda way: e."class" || ' ' || way
    ) as uses_of_row
from ended as e
left join feat.row_doses as d
    on e.patient_id = d.patient_id and e.medication_id = d.medication_id and e.ingredient = d.ingredient
where not exists (
    select 1 from norm.medications as later
    where later.patient_id = e.patient_id and later.ingredient = e.ingredient and later.start_date > e.start_date
);
