-- title:    Informed consent
-- title_zh: 知情同意
-- kind:     inclusion
-- reading:  The latest disposition: consented or enrolled, or declined.
-- reading_zh: 最近一次处置状态：已知情同意或已入组，或已拒绝。
-- caveats:  Consent is asked after the list is read.
-- caveats_zh: 知情同意在名单查阅之后才征询。
-- sources:  table dispositions
-- judged:   Whether the patient or the legal guardian consents.
-- judged_zh: 患者本人或其法定监护人是否同意并签署知情同意书。
-- on_fail:  lasting
-- judgement: yes
select
    p.patient_id,
    case
        when d.status in ('consented', 'enrolled')
            then final(passed(
                say('consent.is', '@page.disposition.' || d.status, d.recorded_date), [cite('dispositions', d.disposition_id, d.recorded_date)]
            ))
        when d.status = 'declined'
            then final(failed(
                say('consent.is', '@page.disposition.' || d.status, d.recorded_date),
                [cite('dispositions', d.disposition_id, d.recorded_date)],
                'lasting'
            ))
        else undecided('judgement', say('judgement.consent'))
    end as outcome
from norm.patients as p
left join norm.dispositions as d on p.patient_id = d.patient_id
