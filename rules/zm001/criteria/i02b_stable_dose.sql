-- title:    Dose stable for over 2 weeks
-- title_zh: 剂量稳定超过2周
-- kind:     inclusion
-- reading:  From day D − 14 to day D the systemic glucocorticoid dose and the dose of each listed immunosuppressant stay the same; a drug given with days between doses counts as the same pulse on every day it covers.
-- reading_zh: 自D日前14天至D日，全身用糖皮质激素的剂量及每种所列免疫抑制剂的剂量均保持不变；隔若干日给药一次的药物，在其覆盖的每一天均按同一次给药计。
-- caveats:  A new order of the same dose is no change.
-- caveats_zh: 以相同剂量重新开具医嘱不算变化。
-- sources:  classes glucocorticoid, immunosuppressant within 14 days; analyte body_weight for doses per kg; derived feat.doses
-- on_fail:  timed
with recent as (
    select
        d.*,
        p.as_of,
        case
            when d.drug = 'glucocorticoid' then {'is_pulse': false, 'low': d.low_mg, 'high': d.high_mg}
            when d.is_pulse then {'is_pulse': true, 'low': 0, 'high': 0}
            when d.is_covered then {'is_pulse': false, 'low': d.low_mg, 'high': d.high_mg}
        end as state
    from feat.doses as d
    inner join norm.patients as p on d.patient_id = p.patient_id
    where d.end_date >= p.as_of - 14
),

compared as (
    select
        r.*,
        case when r.drug = 'glucocorticoid' then r.high_mg > 0 else r.is_covered end as holds_drug,
        (r.state is distinct from t.state) as is_other
    from recent as r
    inner join recent as t on r.patient_id = t.patient_id and r.drug = t.drug and t.end_date = t.as_of
),

judged as (
    select
        patient_id,
        bool_or(holds_drug) as holds_drug,
        bool_or(coalesce(state.low <> state.high, false)) as is_open,
        max(end_date) filter (where is_other) + 1 as changed_date
    from compared
    group by patient_id
),

contributing as (
    select c.patient_id, list(cite('medications', m.medication_id, m.start_date)) as evidence
    from compared as c
    inner join feat.dose_rows as d on c.run_no = d.run_no
    inner join feat.row_doses as m on d.row_no = m.row_no
    where c.holds_drug
    group by c.patient_id
)

select
    j.patient_id,
    case
        when not j.holds_drug then undecided('missing_data', say('dose.none'))
        when j.is_open then undecided('dose_unknown', say('dose.unknown'), c.evidence)
        when j.changed_date is null then passed(say('dose.stable'), c.evidence)
        else dated(failed(say('dose.changed', j.changed_date), c.evidence, 'timed', j.changed_date + 14), j.changed_date)
    end as outcome
from judged as j
left join contributing as c on j.patient_id = c.patient_id
