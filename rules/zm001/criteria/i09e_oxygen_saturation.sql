-- title:    Oxygen saturation above 92 % without oxygen
-- title_zh: 未吸氧时血氧饱和度>92%
-- kind:     inclusion
-- reading:  Latest observation within 90 days that was not taken on oxygen.
-- reading_zh: 90天内最近一次非吸氧状态下的测定值。
-- caveats:  Whether oxygen was given is often not recorded; only a stated yes leaves a reading out.
-- caveats_zh: 是否吸氧常无记录；只有明确记录为吸氧的读数才不采用。
-- sources:  analyte spo2 within 90 days
-- on_fail:  changeable
select patient_id, judge(latest, nothing, greater(latest.interval_, 92), '> 92 %') as outcome
from latest_result('spo2', 90)
