-- title:    Left ventricular ejection fraction at least 50 %
-- title_zh: 左室射血分数≥50%
-- kind:     inclusion
-- reading:  Latest observation within P:heart_days.
-- reading_zh: P:heart_days内最近一次测定值。
-- caveats:  Echocardiography reports often stand in notes alone.
-- caveats_zh: 超声心动图报告常只见于病历文书。
-- sources:  analyte lvef within P:heart_days
-- on_fail:  changeable
select patient_id, judge(latest, nothing, at_least(latest.interval_, 50), '≥ 50 %') as outcome
from latest_result('lvef', param('heart_days'))
