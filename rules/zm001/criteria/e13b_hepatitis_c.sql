-- title:    Active hepatitis C
-- title_zh: 活动性丙型肝炎
-- kind:     exclusion
-- reading:  Antibody positive with HCV RNA above detection, latest of each within P:virology_days.
-- reading_zh: 抗体阳性且HCV RNA高于检测下限，各取P:virology_days内最近一次结果。
-- caveats:  An antibody stays after cure; RNA decides.
-- caveats_zh: 治愈后抗体仍为阳性，以RNA为准。
-- sources:  analytes hcv_ab, hcv_rna within P:virology_days
-- judged:   An equivocal antibody; RNA above detection while the antibody is negative.
-- judged_zh: 抗体结果可疑；抗体阴性而HCV RNA高于检测下限。
-- on_fail:  changeable
select
    a.patient_id,
    case
        when a.latest is null then a.nothing
        when a.latest.serology = 'equivocal' then to_review('needs_attribution', said_result(a.latest), cited(a.latest))
        when a.latest.serology = 'positive' and r.latest is null then r.nothing
        when a.latest.serology = 'positive' and r.latest.viral_load = 'above'
            then failed(said_result(a.latest) || said_result(r.latest), cited(a.latest) || cited(r.latest), 'changeable')
        when a.latest.serology = 'positive'
            then passed(said_result(a.latest) || said_result(r.latest), cited(a.latest) || cited(r.latest))
        when r.latest.viral_load = 'above'
            then to_review('conflicting_data', said_result(a.latest) || said_result(r.latest), cited(a.latest) || cited(r.latest))
        else passed(said_result(a.latest), cited(a.latest))
    end as outcome
from latest_result('hcv_ab', param('virology_days')) as a
inner join latest_result('hcv_rna', param('virology_days')) as r on a.patient_id = r.patient_id
