-- title:    Venous access for collection
-- title_zh: 静脉通路满足采集
-- kind:     inclusion
-- reading:  Judged at the bedside.
-- caveats:  Nothing in the extract tells.
-- sources:  none
-- on_fail:  changeable
-- judgement: yes
select patient_id, unnest(undecided('judgement', say('judgement.access'))) from norm.patients
