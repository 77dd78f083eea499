-- title:    Long-term anticoagulant
-- title_zh: 长期抗凝治疗
-- kind:     exclusion
-- reading:  An anticoagulant covers day D: 28 days or more of use with gaps of at most 7 days, or no end set, excludes; a shorter course is for a clinician.
-- caveats:  Antiplatelets are none; heparin of up to 1000 IU a dose is a flush.
-- sources:  class anticoagulant
-- on_fail:  changeable
select
    p.patient_id,
    unnest(case
        when a.is_open then failed(say('drug.no_end', '@class.anticoagulant', a.first_date), a.evidence, 'changeable')
        when p.as_of - a.first_date + 1 >= 28 then failed(say('drug.chain', '@class.anticoagulant', a.first_date), a.evidence, 'changeable')
        when a.patient_id is not null
            then to_review('needs_attribution', say('drug.chain', '@class.anticoagulant', a.first_date), a.evidence)
        else n.nothing
    end)
from norm.patients as p
left join chain_of_use('anticoagulant') as a on p.patient_id = a.patient_id
inner join no_medication(['anticoagulant'], to_days(0), 'systemic') as n on p.patient_id = n.patient_id
