-- title:    Platelets at least 20 ×10⁹/L
-- title_zh: 血小板≥20×10⁹/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- reading_zh: P:blood_days内最近一次计数；采集阶段取采集（单采）前3天内的结果。
-- caveats:  Clumping in EDTA gives false low counts.
-- caveats_zh: EDTA所致的血小板聚集可造成假性降低。
-- sources:  analyte platelets within P:blood_days or 3 days of collection
-- on_fail:  changeable
from blood_count_at_least('platelets', 20)
