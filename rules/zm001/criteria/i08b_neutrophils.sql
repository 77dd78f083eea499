-- title:    Neutrophils at least 1.5 ×10⁹/L
-- title_zh: 中性粒细胞≥1.5×10⁹/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- reading_zh: P:blood_days内最近一次计数；采集阶段取采集（单采）前3天内的结果。
-- caveats:  The percentage is another test and is never read as the count.
-- caveats_zh: 中性粒细胞百分比是另一项检验，从不当作绝对值。
-- sources:  analyte neutrophils within P:blood_days or 3 days of collection
-- on_fail:  changeable
from blood_count_at_least('neutrophils', 1.5)
