-- title:    Coagulation
-- title_zh: 凝血功能
-- kind:     inclusion
-- reading:  INR and APTT at most 1.5 × ULN, latest within P:chemistry_days.
-- reading_zh: P:chemistry_days内最近一次INR和APTT均≤1.5×ULN。
-- caveats:  A lupus anticoagulant prolongs the APTT without bleeding; anticoagulants raise the INR.
-- caveats_zh: 狼疮抗凝物可使APTT延长而无出血；抗凝药可使INR升高。
-- sources:  analytes inr, aptt within P:chemistry_days
-- on_fail:  changeable
with parts as (
    select
        inr.patient_id,
        [judge_times_limit(inr.latest, inr.nothing, 1.5), judge_times_limit(aptt.latest, aptt.nothing, 1.5)] as parts
    from latest_result('inr', param('chemistry_days')) as inr
    inner join latest_result('aptt', param('chemistry_days')) as aptt on inr.patient_id = aptt.patient_id
)

select patient_id, all_of(parts) as outcome from parts
