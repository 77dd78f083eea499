-- title:    Lymphocytes at least 10 %
-- title_zh: 淋巴细胞百分比≥10%
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- caveats:  The share of atypical lymphocytes is another test.
-- sources:  analyte lymphocytes_percent
-- on_fail:  changeable
from blood_count_at_least('lymphocytes_percent', 10)
