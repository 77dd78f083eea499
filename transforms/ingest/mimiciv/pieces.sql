-- One row per entry of the medication record that has details. What was given is the sum of its pieces ('1.1', '1.2', '2.1' …), known
-- only if every piece is a number in the same unit; the route is that of the parent row.
with details as (
    select
        emar_id,
        product_description,
        parent_field_ordinal is not null as is_piece,
        plain_number(dose_given) as dose,
        lower(dose_given_unit) as unit,
        case when parent_field_ordinal is null then route end as route
    from src.emar_detail
)

select
    emar_id,
    case
        when
            count(*) filter (is_piece) = count(dose) filter (is_piece)
            and count(*) filter (is_piece) = count(unit) filter (is_piece)
            and min(unit) filter (is_piece) = max(unit) filter (is_piece)
            then round(sum(dose) filter (is_piece), 9)
    end as dose,
    min(unit) filter (is_piece) as unit,
    min(product_description) filter (is_piece) as product,
    min(route) as route
from details
group by emar_id
