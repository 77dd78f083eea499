-- title:    Oral glucocorticoid 7.5 to 60 mg/day of prednisone-equivalent
-- title_zh: 口服糖皮质激素泼尼松等效剂量7.5–60 mg/日
-- kind:     inclusion
-- reading:  The oral dose of day D, both limits included; no minimum while a listed immunosuppressant or biologic covers day D.
-- reading_zh: D日的口服剂量，上下限均含在内；D日有所列免疫抑制剂或生物制剂覆盖时，不设下限。
-- caveats:  Doses from dispensings alone are averages over the days of supply.
-- caveats_zh: 仅由发药记录推算的剂量，是供药天数内的平均值。
-- sources:  classes glucocorticoid, immunosuppressant, biologic on day D; analyte body_weight for doses per kg; derived feat.doses, feat.coverage
-- on_fail:  changeable
with oral as (
    select
        d.patient_id,
        p.as_of,
        any_value(d.oral_low_mg) as low_mg,
        any_value(d.oral_high_mg) as high_mg,
        list(cite('medications', m.medication_id, m.start_date)) filter (where m.medication_id is not null) as evidence
    from feat.doses as d
    inner join norm.patients as p on d.patient_id = p.patient_id and d.end_date = p.as_of
    left join feat.dose_rows as r on d.run_no = r.run_no and r.is_counted and r.is_oral
    left join feat.row_doses as m on r.row_no = m.row_no
    where d.drug = 'glucocorticoid'
    group by d.patient_id, p.as_of
),

combined as (
    select
        c.patient_id,
        max_by(c.ingredient, {'a': c.start_date, 'b': c.medication_id}) as ingredient,
        list(cite('medications', c.medication_id, c.start_date)) as evidence
    from feat.coverage as c
    inner join norm.patients as p on c.patient_id = p.patient_id and c.last_date >= p.as_of
    where c.is_systemic and c."class" in ('immunosuppressant', 'biologic')
    group by c.patient_id
),

told as (
    select
        *,
        case
            when isinf(high_mg) and low_mg = 0 then say('dose.oral_unknown', as_of)
            when isinf(high_mg) then say('dose.oral', '≥ ' || round(low_mg, 2), as_of)
            when low_mg < high_mg then say('dose.oral', round(low_mg, 2) || '–' || round(high_mg, 2), as_of)
            else say('dose.oral', round(low_mg, 2), as_of)
        end as reason
    from oral
)

select
    t.patient_id,
    case
        when t.low_mg > 60 then failed(t.reason, t.evidence, 'changeable')
        when t.high_mg <= 60 and t.low_mg >= 7.5 then passed(t.reason, t.evidence)
        when t.high_mg <= 60 and t.low_mg > 0 and c.patient_id is not null
            then passed(t.reason || say('dose.combined', c.ingredient), t.evidence || c.evidence)
        when t.high_mg = 0 and c.patient_id is not null then undecided('missing_data', say('dose.combined_alone', c.ingredient), c.evidence)
        when t.high_mg < 7.5 and c.patient_id is null
            then case
                when n.nothing.verdict <> 'pass' then n.nothing
                when t.high_mg = 0 then absent_fail(say('dose.oral_none', t.as_of), 'changeable')
                else failed(t.reason || say('record.absent', '@class.combination'), t.evidence, 'changeable')
            end
        else undecided('dose_unknown', t.reason, t.evidence)
    end as outcome
from told as t
left join combined as c on t.patient_id = c.patient_id
inner join no_medication_before(
    ['glucocorticoid', 'immunosuppressant', 'biologic'],
    ['glucocorticoid oral dose', 'immunosuppressant systemic', 'biologic systemic'],
    to_days(0),
    'day D'
) as n on t.patient_id = n.patient_id
