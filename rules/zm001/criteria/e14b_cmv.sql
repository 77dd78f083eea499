-- title:    Active cytomegalovirus
-- title_zh: 活动性巨细胞病毒感染
-- kind:     exclusion
-- reading:  IgM positive, or DNA above normal, latest of each within P:viral_days; both are needed to pass.
-- caveats:  Rheumatoid factor and polyclonal IgM give false positive IgM.
-- sources:  analytes cmv_igm, cmv_dna
-- on_fail:  changeable
from active_virus('cmv_igm', 'cmv_dna')
