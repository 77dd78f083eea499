-- title:    Lymphocytes at least 0.6 ×10⁹/L
-- title_zh: 淋巴细胞≥0.6×10⁹/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- reading_zh: P:blood_days内最近一次计数；采集阶段取采集（单采）前3天内的结果。
-- caveats:  The percentage is item I08e.
-- caveats_zh: 淋巴细胞百分比见I08e。
-- sources:  analyte lymphocytes within P:blood_days or 3 days of collection
-- on_fail:  changeable
from blood_count_at_least('lymphocytes', 0.6)
