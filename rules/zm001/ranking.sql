-- Tiers, expected_pass and the order of the list (protocol §2 and §6).

-- One row per item or criterion: how often it passes among the assessed patients whose records or charts decide it.
create or replace table pub.chances as
select
    item_id,
    (count(*) filter (where verdict = 'pass') + 1) / (count(*) filter (where verdict in ('pass', 'fail')) + 2)::double as pass_share
from pub.verdicts
where basis in ('data', 'chart')
group by item_id;

-- What an undecided item puts into the product.
create or replace macro chance_of(pass_share, verdict) as coalesce(pass_share, 0.5) * case verdict when 'review' then 0.5 else 1 end;

create or replace table pub.candidates as
with open_items as (
    select * from pub.verdicts where not (is_judgement and verdict in ('review', 'unknown'))
),

summed as (
    select
        v.patient_id,
        case
            when bool_or(v.fail_kind = 'lasting') then 'excluded'
            when bool_or(v.verdict = 'fail') then 'watch'
            when bool_or(v.verdict in ('review', 'unknown')) then 'check'
            else 'ready'
        end as tier,
        case
            when bool_and(v.fail_kind = 'timed') filter (where v.verdict = 'fail') then max(v.next_date) filter (where v.verdict = 'fail')
        end as next_date,
        list(chance_of(c.pass_share, v.verdict) order by v.position) filter (where v.is_leaf and v.verdict in ('review', 'unknown')) as shares,
        list(v.item_id order by v.position)
            filter (where v.verdict = 'fail' and (v.is_leaf or (v.has_chart_part and v.chart_fails))) as failing,
        list(v.item_id order by v.position)
            filter (where v.verdict = 'review' and (v.is_leaf or v.has_chart_part)) as to_review,
        list(v.item_id order by v.position) filter (where v.verdict = 'unknown' and v.is_leaf) as unknown
    from (select *, list_contains(list_transform(evidence, lambda e: e.ref[1:14]), 'chart_reviews:') as chart_fails from open_items) as v
    left join pub.chances as c on v.item_id = c.item_id
    group by v.patient_id
),

judged as (
    select
        p.patient_id,
        s.tier,
        case when s.tier = 'watch' then s.next_date end as next_date,
        round(coalesce(list_product(s.shares), 1), 6) as expected_pass,
        coalesce(s.failing, []) as failing,
        coalesce(s.to_review, []) as to_review,
        coalesce(s.unknown, []) as unknown,
        d.status as disposition,
        s.tier <> 'excluded'
            and coalesce(p.death_date > p.as_of, true)
            and coalesce(d.status not in ('declined', 'do-not-contact', 'enrolled'), true) as is_listed,
        f.sledai_recorded,
        f.sledai_low,
        coalesce(f.sledai_recorded, f.sledai_low) as activity
    from norm.patients as p
    inner join summed as s on p.patient_id = s.patient_id
    left join norm.dispositions as d on p.patient_id = d.patient_id
    left join feat.sledai as f on p.patient_id = f.patient_id
)

select
    *,
    case when is_listed then row_number() over (
        partition by is_listed
        order by
            list_position(['ready', 'check', 'watch'], tier),
            case when tier = 'watch' then next_date end nulls last,
            expected_pass desc,
            activity desc nulls last,
            patient_id
    ) end as rank
from judged;
