-- title:    Neutrophils at least 1.5 ×10⁹/L
-- title_zh: 中性粒细胞≥1.5×10⁹/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- caveats:  The percentage is another test and is never read as the count.
-- sources:  analyte neutrophils
-- on_fail:  changeable
from blood_count_at_least('neutrophils', 1.5)
