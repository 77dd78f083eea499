-- title:    Platelets at least 20 ×10⁹/L
-- title_zh: 血小板≥20×10⁹/L
-- kind:     inclusion
-- reading:  Latest count within P:blood_days; in the collection phase from 3 days before collection.
-- caveats:  Clumping in EDTA gives false low counts.
-- sources:  analyte platelets
-- on_fail:  changeable
from blood_count_at_least('platelets', 20)
