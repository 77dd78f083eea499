-- title:    Uncontrolled lupus crisis
-- title_zh: 未控制的狼疮危象
-- kind:     exclusion
-- reading:  Judged by the investigator.
-- caveats:  No code names it.
-- sources:  none
-- on_fail:  changeable
-- judgement: yes
select patient_id, unnest(undecided('judgement', say('judgement.crisis'))) from norm.patients
