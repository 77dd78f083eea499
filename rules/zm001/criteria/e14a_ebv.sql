-- title:    Active Epstein–Barr virus
-- title_zh: 活动性EB病毒感染
-- kind:     exclusion
-- reading:  IgM positive, or DNA above normal, latest of each within P:viral_days; both are needed to pass.
-- caveats:  Rheumatoid factor and polyclonal IgM give false positive IgM.
-- sources:  analytes ebv_vca_igm, ebv_dna
-- on_fail:  changeable
from active_virus('ebv_vca_igm', 'ebv_dna')
