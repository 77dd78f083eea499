-- title:    Haemoglobin at least 80 g/L
-- title_zh: 血红蛋白≥80 g/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- caveats:  A transfusion shortly before is not seen.
-- sources:  analyte hemoglobin
-- on_fail:  changeable
from blood_count_at_least('hemoglobin', 80)
