-- title:    SLE by the 2019 EULAR/ACR classification
-- title_zh: 符合2019 EULAR/ACR分类标准的系统性红斑狼疮
-- kind:     inclusion
-- reading:  ANA ever positive and at least 10 points, one of them clinical, by results, codes and chart reviews of any time up to day D. An SLE diagnosis without the points is for a clinician.
-- reading_zh: 抗核抗体（ANA）曾阳性，且按截至D日任何时间的检验结果、诊断编码和病历核查累计≥10分，其中至少一项为临床条目。有SLE诊断而分数不足者，由医生判断。
-- caveats:  Fever, biopsy classes and most skin and joint findings stand in notes, so the points proven are the least there are; nothing recorded ever fails this.
-- caveats_zh: 发热、肾活检病理分型以及多数皮肤和关节表现只见于病历文书，因此已证实的分数是下限；仅因无记录从不判为不符合。
-- sources:  items classification ever; concept sle in diagnoses ever; derived feat.classification
-- judged:   Whether a patient with an SLE diagnosis whose records do not prove 10 points meets the 2019 EULAR/ACR classification by what stands in notes.
-- judged_zh: 有SLE诊断但记录不足以证实10分者，结合病历文书是否符合2019 EULAR/ACR分类标准。
-- on_fail:  changeable
with diagnosed as (
    from events(['sle'], ['diagnoses'], null)
)

select
    c.patient_id,
    case
        when c.is_met
            then dated(
                passed(
                    say('classification.met', c.class_low)
                        || flatten(list_transform(c.counted_items, lambda i: said_item(i.item_id, i.weight, i.told))),
                    c.evidence
                ),
                c.evidence_date
            )
        when d.patient_id is not null
            then to_review('needs_attribution', said_event(d) || say('classification.open', c.class_low, c.class_high), d.evidence)
        else undecided('missing_data', say('classification.open', c.class_low, c.class_high))
    end as outcome
from feat.classification as c
left join diagnosed as d on c.patient_id = d.patient_id
