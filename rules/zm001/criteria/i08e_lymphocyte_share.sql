-- title:    Lymphocytes at least 10 %
-- title_zh: 淋巴细胞百分比≥10%
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- reading_zh: P:blood_days内最近一次计数；采集阶段取采集（单采）前3天内的结果。
-- caveats:  The share of atypical lymphocytes is another test.
-- caveats_zh: 异型淋巴细胞百分比是另一项检验。
-- sources:  analyte lymphocytes_percent within P:blood_days or 3 days of collection
-- on_fail:  changeable
from blood_count_at_least('lymphocytes_percent', 10)
