-- title:    Informed consent
-- title_zh: 知情同意
-- kind:     inclusion
-- reading:  The latest disposition: consented or enrolled, or declined.
-- caveats:  Consent is asked after the list is read.
-- sources:  table dispositions
-- on_fail:  lasting
-- judgement: yes
select
    p.patient_id,
    unnest(case
        when d.status in ('consented', 'enrolled')
            then final(passed(
                say('consent.is', d.status, d.recorded_date), [cite('dispositions', d.disposition_id, d.recorded_date)]
            ))
        when d.status = 'declined'
            then final(failed(
                say('consent.is', d.status, d.recorded_date), [cite('dispositions', d.disposition_id, d.recorded_date)], 'lasting'
            ))
        else undecided('judgement', say('judgement.consent'))
    end)
from norm.patients as p
left join norm.dispositions as d on p.patient_id = d.patient_id
