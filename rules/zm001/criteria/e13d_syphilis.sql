-- title:    Syphilis
-- title_zh: 梅毒
-- kind:     exclusion
-- reading:  Treponemal antibody positive, latest within P:virology_days; a positive reagin test alone is for a clinician.
-- caveats:  Reagin tests are often falsely positive in lupus; the treponemal test stays positive after cure.
-- sources:  analytes treponemal_ab, reagin
-- on_fail:  changeable
select
    t.patient_id,
    unnest(case
        when t.latest.serology = 'positive' then failed(said_result(t.latest), cited(t.latest), 'changeable')
        when t.latest.serology = 'negative' then passed(said_result(t.latest), cited(t.latest))
        when t.latest is not null then to_review('needs_attribution', said_result(t.latest), cited(t.latest))
        when r.latest.serology = 'positive' then to_review('needs_attribution', said_result(r.latest), cited(r.latest))
        else t.nothing
    end)
from latest_result('treponemal_ab', param('virology_days')) as t
inner join latest_result('reagin', param('virology_days')) as r on t.patient_id = r.patient_id
