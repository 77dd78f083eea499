-- title:    Syphilis
-- title_zh: 梅毒
-- kind:     exclusion
-- reading:  Treponemal antibody positive, latest within P:virology_days; a positive reagin test alone is for a clinician.
-- reading_zh: 梅毒螺旋体抗体阳性，取P:virology_days内最近一次结果；仅非特异性抗体（反应素）阳性者，由医生判断。
-- caveats:  Reagin tests are often falsely positive in lupus; the treponemal test stays positive after cure.
-- caveats_zh: 狼疮患者的反应素试验常呈假阳性；梅毒螺旋体抗体治愈后仍为阳性。
-- sources:  analytes treponemal_ab, reagin within P:virology_days
-- judged:   An equivocal treponemal test; a positive reagin test without a treponemal test.
-- judged_zh: 梅毒螺旋体抗体结果可疑；仅反应素阳性而未查梅毒螺旋体抗体。
-- on_fail:  changeable
select
    t.patient_id,
    case
        when t.latest.serology = 'positive' then failed(said_result(t.latest), cited(t.latest), 'changeable')
        when t.latest.serology = 'negative' then passed(said_result(t.latest), cited(t.latest))
        when t.latest is not null then to_review('needs_attribution', said_result(t.latest), cited(t.latest))
        when r.latest.serology = 'positive' then to_review('needs_attribution', said_result(r.latest), cited(r.latest))
        else t.nothing
    end as outcome
from latest_result('treponemal_ab', param('virology_days')) as t
inner join latest_result('reagin', param('virology_days')) as r on t.patient_id = r.patient_id
