-- title:    SLE by the 2019 EULAR/ACR classification
-- title_zh: 符合2019 EULAR/ACR分类标准的系统性红斑狼疮
-- kind:     inclusion
-- reading:  ANA ever positive and at least 10 points, one of them clinical, by results, codes and chart reviews of any time up to day D. An SLE diagnosis without the points is for a clinician.
-- caveats:  Fever, biopsy classes and most skin and joint findings stand in notes, so the points proven are the least there are; nothing recorded ever fails this.
-- sources:  feat.classification; concept sle; classification_items.csv
-- on_fail:  changeable
with diagnosed as (
    from events(['sle'], ['diagnoses'], null)
)

select
    c.patient_id,
    unnest(case
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
    end)
from feat.classification as c
left join diagnosed as d on c.patient_id = d.patient_id
