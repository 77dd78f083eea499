-- title:    Expected survival over 3 months
-- title_zh: 预计生存期超过3个月
-- kind:     inclusion
-- reading:  Only death is in the records; the expectation is the investigator's judgement.
-- reading_zh: 记录中只有死亡信息；预计生存期由研究者判断。
-- caveats:  A death outside the hospital may be missing.
-- caveats_zh: 院外死亡可能缺失。
-- sources:  table patients
-- judged:   Whether survival of more than 3 months is expected.
-- judged_zh: 预计生存期是否超过3个月。
-- on_fail:  lasting
-- judgement: yes
select
    patient_id,
    case
        when death_date <= as_of
            then final(failed(say('survival.died', death_date), [cite('patients', patient_id, death_date)], 'lasting'))
        else undecided('judgement', say('judgement.survival'))
    end as outcome
from norm.patients
