-- title:    HIV
-- title_zh: 人类免疫缺陷病毒
-- kind:     exclusion
-- reading:  An HIV diagnosis ever, or the latest antibody (antigen/antibody) test within P:virology_days positive.
-- reading_zh: 任何时间的HIV诊断，或P:virology_days内最近一次抗体（抗原/抗体）检测阳性。
-- caveats:  A reactive screening test may need confirmation.
-- caveats_zh: 筛查有反应者可能需要确证试验。
-- sources:  analyte hiv_ab within P:virology_days; concept hiv in diagnoses ever
-- judged:   An equivocal test.
-- judged_zh: 检测结果可疑时。
-- on_fail:  lasting
select
    a.patient_id,
    case
        when h.patient_id is not null and a.latest.serology = 'positive'
            then failed(said_event(h) || said_result(a.latest), h.evidence || cited(a.latest), 'lasting')
        when h.patient_id is not null then failed(said_event(h), h.evidence, 'lasting')
        when a.latest is null then a.nothing
        when a.latest.serology = 'positive' then failed(said_result(a.latest), cited(a.latest), 'lasting')
        when a.latest.serology = 'negative' then passed(said_result(a.latest), cited(a.latest))
        else to_review('needs_attribution', said_result(a.latest), cited(a.latest))
    end as outcome
from latest_result('hiv_ab', param('virology_days')) as a
left join events(['hiv'], ['diagnoses'], null) as h on a.patient_id = h.patient_id
