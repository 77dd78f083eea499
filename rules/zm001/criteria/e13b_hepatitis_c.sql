-- title:    Active hepatitis C
-- title_zh: 活动性丙型肝炎
-- kind:     exclusion
-- reading:  Antibody positive with HCV RNA above detection, latest of each within P:virology_days.
-- caveats:  An antibody stays after cure; RNA decides.
-- sources:  analytes hcv_ab, hcv_rna
-- on_fail:  changeable
select
    a.patient_id,
    unnest(case
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
    end)
from latest_result('hcv_ab', param('virology_days')) as a
inner join latest_result('hcv_rna', param('virology_days')) as r on a.patient_id = r.patient_id
