-- title:    Lymphocytes at least 0.6 ×10⁹/L
-- title_zh: 淋巴细胞≥0.6×10⁹/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- caveats:  The percentage is item I08e.
-- sources:  analyte lymphocytes
-- on_fail:  changeable
from blood_count_at_least('lymphocytes', 0.6)
