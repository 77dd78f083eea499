-- title:    Kidney function
-- title_zh: 肾功能
-- kind:     inclusion
-- reading:  Clearance at least 40 mL/min (measured, else Cockcroft–Gault) or creatinine at most 1.5 × ULN, latest within P:chemistry_days.
-- reading_zh: 肌酐清除率≥40 mL/min（以实测值为准，无实测值时用Cockcroft–Gault公式估算），或血肌酐≤1.5×ULN；各取P:chemistry_days内最近一次结果。
-- caveats:  Oedema raises the weight and so the estimate; eGFR per 1.73 m² is another quantity and is not read.
-- caveats_zh: 水肿使体重增加，估算值随之偏高；按1.73 m²体表面积校正的eGFR是另一个量，不予采用。
-- sources:  analytes creatinine, creatinine_clearance within P:chemistry_days; analyte body_weight within 365 days; table patients
-- on_fail:  changeable
with together as (
    select
        p.patient_id,
        clearance.latest as clearance,
        clearance.nothing as no_clearance,
        creatinine.latest as creatinine,
        creatinine.nothing as no_creatinine,
        weight.latest as weight,
        weight.nothing as no_weight,
        cockcroft_gault(p.sex, p.age_low, p.age_high, weight.latest, creatinine.latest) as estimate,
        p.sex in ('male', 'female') and p.age_low = p.age_high as is_exact
    from norm.patients as p
    inner join latest_result('creatinine_clearance', param('chemistry_days')) as clearance on p.patient_id = clearance.patient_id
    inner join latest_result('creatinine', param('chemistry_days')) as creatinine on p.patient_id = creatinine.patient_id
    inner join latest_result('body_weight', 365) as weight on p.patient_id = weight.patient_id
),

parts as (
    select
        patient_id,
        [
            case
                when clearance is not null then judge(clearance, no_clearance, at_least(clearance.interval_, 40), '≥ 40 mL/min')
                when creatinine is null or weight is null
                    then undecided(
                        first_cause(list_filter(
                            [
                                no_clearance.reason_code,
                                case when creatinine is null then no_creatinine.reason_code end,
                                case when weight is null then no_weight.reason_code end
                            ],
                            lambda c: c is not null
                        )),
                        say('kidney.no_estimate')
                    )
                when at_least(estimate, 40) then passed(said_estimate(estimate, creatinine, weight), cited(creatinine) || cited(weight))
                when not at_least(estimate, 40)
                    then failed(said_estimate(estimate, creatinine, weight), cited(creatinine) || cited(weight), 'changeable')
                else undecided(
                    case when estimate_is_censored(creatinine, weight) then 'censored' else 'missing_data' end,
                    said_estimate(estimate, creatinine, weight),
                    cited(creatinine) || cited(weight)
                )
            end,
            judge_times_limit(creatinine, no_creatinine, 1.5)
        ] as parts
    from together
)

select patient_id, any_of(parts) as outcome from parts
