-- title:    Compliance
-- title_zh: 依从性
-- kind:     exclusion
-- reading:  Judged by the investigator.
-- caveats:  Nothing in the extract tells.
-- sources:  none
-- on_fail:  changeable
-- judgement: yes
select patient_id, unnest(undecided('judgement', say('judgement.compliance'))) from norm.patients
