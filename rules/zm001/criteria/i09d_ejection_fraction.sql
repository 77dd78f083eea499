-- title:    Left ventricular ejection fraction at least 50 %
-- title_zh: 左室射血分数≥50%
-- kind:     inclusion
-- reading:  Latest observation within P:heart_days.
-- caveats:  Echocardiography reports often stand in notes alone.
-- sources:  analyte lvef
-- on_fail:  changeable
select patient_id, unnest(judge(latest, nothing, at_least(latest.interval_, 50), '≥ 50 %'))
from latest_result('lvef', param('heart_days'))
