-- title:    Oxygen saturation above 92 % without oxygen
-- title_zh: 未吸氧时血氧饱和度>92%
-- kind:     inclusion
-- reading:  Latest observation within 90 days that was not taken on oxygen.
-- caveats:  Whether oxygen was given is often not recorded; only a stated yes leaves a reading out.
-- sources:  analyte spo2
-- on_fail:  changeable
select patient_id, unnest(judge(latest, nothing, greater(latest.interval_, 92), '> 92 %'))
from latest_result('spo2', 90)
