-- title:    Glucocorticoid, immunosuppressant and biologic for 2 months at adequate doses
-- title_zh: 糖皮质激素+免疫抑制剂+生物制剂联合治疗≥2个月且剂量足够
-- kind:     inclusion
-- reading:  Of the 60 days before day D at least P:min_covered_days are covered by a systemic glucocorticoid and by an adequately dosed listed immunosuppressant, and a listed biologic was first given 60 days ago or earlier.
-- reading_zh: D日前60天内，全身用糖皮质激素的覆盖天数和剂量足够的所列免疫抑制剂的覆盖天数均不少于P:min_covered_days天，且所列生物制剂的首次使用在60天前或更早。
-- caveats:  The standard daily doses are floors for the investigator to sign off; drugs bought elsewhere are missing.
-- caveats_zh: 标准日剂量是须由研究者签字确认的下限；院外购药不在数据中。
-- sources:  classes glucocorticoid, immunosuppressant within 60 days; class biologic ever; analyte body_weight for doses per kg; derived feat.doses, feat.coverage
-- judged:   Whether an immunosuppressant below its standard daily dose is adequate for this patient; whether the disease stayed moderately to severely active under treatment.
-- judged_zh: 免疫抑制剂低于标准日剂量时，对该患者是否足量；治疗期间疾病是否持续中重度活动。
-- on_fail:  changeable
with recent as (
    select
        d.patient_id,
        d.drug,
        greatest(d.start_date, p.as_of - 60) as start_date,
        least(d.end_date, p.as_of - 1) as end_date,
        d.is_in_pulse or d.low_mg >= round(m.standard_daily_mg, 9) as is_adequate,
        d.is_in_pulse or d.high_mg >= round(m.standard_daily_mg, 9) as may_be_adequate
    from feat.doses as d
    inner join norm.patients as p on d.patient_id = p.patient_id
    left join map.drugs as m on d.drug = m.ingredient
    where d.is_covered and d.end_date >= p.as_of - 60 and d.start_date <= p.as_of - 1
),

-- Runs of days by what they count towards; those of several immunosuppressants may overlap.
sorts as (
    select patient_id, 'glucocorticoid' as sort, start_date, end_date from recent where drug = 'glucocorticoid'
    union all
    select patient_id, 'covered', start_date, end_date from recent where drug <> 'glucocorticoid'
    union all
    select patient_id, 'may be adequate', start_date, end_date from recent where may_be_adequate
    union all
    select patient_id, 'adequate', start_date, end_date from recent where is_adequate
),

merged as (
    select
        *,
        max(end_date) over (
            partition by patient_id, sort order by start_date, end_date rows between unbounded preceding and 1 preceding
        ) as counted_until
    from sorts
),

counted as (
    select
        patient_id,
        sort,
        sum(greatest(end_date - greatest(start_date, counted_until + 1) + 1, 0)) as days
    from merged
    group by patient_id, sort
),

days as (
    select
        p.patient_id,
        param('min_covered_days') as needed,
        coalesce(max(c.days) filter (where c.sort = 'glucocorticoid'), 0)::integer as glucocorticoid,
        coalesce(max(c.days) filter (where c.sort = 'covered'), 0)::integer as covered,
        coalesce(max(c.days) filter (where c.sort = 'may be adequate'), 0)::integer as may_be_adequate,
        coalesce(max(c.days) filter (where c.sort = 'adequate'), 0)::integer as adequate
    from norm.patients as p
    left join counted as c on p.patient_id = c.patient_id
    group by p.patient_id
),

rows_of_class as (
    select c.patient_id, c."class", list(cite('medications', c.medication_id, c.start_date)) as evidence
    from feat.coverage as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where c.is_systemic and c."class" in ('glucocorticoid', 'immunosuppressant') and c.start_date <= p.as_of - 1
    group by c.patient_id, c."class"
),

biologics as (
    select
        m.patient_id,
        min(m.start_date) as start_date,
        min_by(m.ingredient, {'a': m.start_date, 'b': m.medication_id}) as ingredient,
        [min_by(cite('medications', m.medication_id, m.start_date), {'a': m.start_date, 'b': m.medication_id})] as evidence
    from norm.medications as m
    where m."class" = 'biologic' and m.route_group <> 'local'
    group by m.patient_id
),

parts as (
    select
        p.patient_id,
        [
            case
                when d.glucocorticoid >= d.needed
                    then passed(say('cover.days', '@class.glucocorticoid', d.glucocorticoid, d.needed), g.evidence)
                when d.glucocorticoid > 0
                    then undecided('missing_data', say('cover.days', '@class.glucocorticoid', d.glucocorticoid, d.needed), g.evidence)
                when ng.nothing.verdict = 'pass' then absent_fail(say('cover.none', '@class.glucocorticoid'), 'changeable')
                else ng.nothing
            end,
            case
                when d.adequate >= d.needed
                    then passed(say('cover.adequate', '@class.immunosuppressant', d.adequate, d.needed), i.evidence)
                when d.may_be_adequate >= d.needed
                    then undecided('dose_unknown', say('cover.dose_unknown', '@class.immunosuppressant', d.may_be_adequate), i.evidence)
                when d.covered >= d.needed
                    then to_review(
                        'dose_below_standard',
                        say('cover.below', '@class.immunosuppressant', d.covered, d.adequate, d.needed),
                        i.evidence
                    )
                when d.covered > 0
                    then undecided('missing_data', say('cover.days', '@class.immunosuppressant', d.covered, d.needed), i.evidence)
                when ni.nothing.verdict = 'pass' then absent_fail(say('cover.none', '@class.immunosuppressant'), 'changeable')
                else ni.nothing
            end,
            case
                when b.start_date <= p.as_of - 60 then passed(say('drug.given', b.ingredient, b.start_date), b.evidence)
                when b.start_date is not null
                    then failed(say('drug.too_recent', b.ingredient, b.start_date), b.evidence, 'timed', b.start_date + 60)
                when nb.nothing.verdict = 'pass' then absent_fail(nb.nothing.reason, 'changeable')
                else nb.nothing
            end
        ] as parts
    from norm.patients as p
    inner join days as d on p.patient_id = d.patient_id
    left join rows_of_class as g on p.patient_id = g.patient_id and g."class" = 'glucocorticoid'
    left join rows_of_class as i on p.patient_id = i.patient_id and i."class" = 'immunosuppressant'
    left join biologics as b on p.patient_id = b.patient_id
    inner join no_medication_before(
        ['glucocorticoid', 'immunosuppressant', 'biologic'], ['glucocorticoid systemic'], to_days(59), 'day before'
    ) as ng on p.patient_id = ng.patient_id
    inner join no_medication_before(
        ['immunosuppressant', 'glucocorticoid', 'biologic'], ['immunosuppressant systemic'], to_days(59), 'day before'
    ) as ni on p.patient_id = ni.patient_id
    inner join no_medication_before(
        ['biologic', 'glucocorticoid', 'immunosuppressant'], ['biologic systemic'], null, 'day D'
    ) as nb on p.patient_id = nb.patient_id
)

select patient_id, all_of(parts) as outcome from parts
