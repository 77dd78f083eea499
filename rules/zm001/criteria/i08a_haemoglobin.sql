-- title:    Haemoglobin at least 80 g/L
-- title_zh: 血红蛋白≥80 g/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- reading_zh: P:blood_days内最近一次计数；采集阶段取采集（单采）前3天内的结果。
-- caveats:  A transfusion shortly before is not seen.
-- caveats_zh: 近期输血无法识别。
-- sources:  analyte hemoglobin within P:blood_days or 3 days of collection
-- on_fail:  changeable
from blood_count_at_least('hemoglobin', 80)
