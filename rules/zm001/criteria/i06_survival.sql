-- title:    Expected survival over 3 months
-- title_zh: 预计生存期超过3个月
-- kind:     inclusion
-- reading:  Only death is in the records; the expectation is the investigator's judgement.
-- caveats:  A death outside the hospital may be missing.
-- sources:  table patients
-- on_fail:  lasting
-- judgement: yes
select
    patient_id,
    unnest(case
        when death_date <= as_of
            then final(failed(say('survival.died', death_date), [cite('patients', patient_id, death_date)], 'lasting'))
        else undecided('judgement', say('judgement.survival'))
    end)
from norm.patients
