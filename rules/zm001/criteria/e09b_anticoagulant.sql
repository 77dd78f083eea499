-- title:    Long-term anticoagulant
-- title_zh: 长期抗凝治疗
-- kind:     exclusion
-- reading:  An anticoagulant covers day D: 28 days or more of use with gaps of at most 7 days, or no end set, excludes; a shorter course is for a clinician.
-- reading_zh: D日有抗凝药覆盖：已用满28天（间断不超过7天）或未设结束日期者，排除；疗程较短者，由医生判断。
-- caveats:  Antiplatelets are none; heparin of up to 1000 IU a dose is a flush.
-- caveats_zh: 抗血小板药不是抗凝药；每次不超过1000 IU的肝素为封管或冲管用。
-- sources:  class anticoagulant ever
-- judged:   Whether a course of less than 28 days is meant to be long-term.
-- judged_zh: 不足28天的抗凝疗程是否需长期持续。
-- on_fail:  changeable
select
    p.patient_id,
    case
        when a.is_open then failed(say('drug.no_end', '@class.anticoagulant', a.first_date), a.evidence, 'changeable')
        when p.as_of - a.first_date + 1 >= 28 then failed(say('drug.chain', '@class.anticoagulant', a.first_date), a.evidence, 'changeable')
        when a.patient_id is not null
            then to_review('needs_attribution', say('drug.chain', '@class.anticoagulant', a.first_date), a.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join chain_of_use('anticoagulant') as a on p.patient_id = a.patient_id
inner join no_medication(['anticoagulant'], to_days(0), 'systemic') as n on p.patient_id = n.patient_id
