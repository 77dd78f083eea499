-- title:    CNS disorder not due to lupus
-- title_zh: 非狼疮所致中枢神经系统疾病
-- kind:     exclusion
-- reading:  A disorder that lupus never causes excludes for good; a seizure within 365 days excludes until a year has passed; an earlier seizure or a disorder that lupus may cause is for a clinician.
-- reading_zh: 狼疮从不引起的中枢神经系统疾病，永久排除；365天内的癫痫发作，排除至满一年为止；更早的癫痫发作或狼疮可能引起的疾病，由医生判断。
-- caveats:  No code tells that a disorder is due to lupus.
-- caveats_zh: 没有编码能说明疾病是否由狼疮所致。
-- sources:  concepts cns_never_lupus, cns_seizure, cns_possible_lupus in diagnoses ever
-- judged:   Whether an earlier seizure, stroke, encephalitis, psychosis or the like is due to lupus; whether it is clinically significant.
-- judged_zh: 更早的癫痫发作、卒中、脑炎、精神障碍等是否由狼疮所致；是否有临床意义。
-- on_fail:  lasting
with never as (
    from events(['cns_never_lupus'], ['diagnoses'], null)
),

seizure as (
    from events(['cns_seizure'], ['diagnoses'], to_days(365))
),

doubtful as (
    select
        c.patient_id,
        max_by(c.concept, {'a': c.event_date, 'b': c.row_id}) as concept,
        max(c.event_date) as event_date,
        max_by(c.label, {'a': c.event_date, 'b': c.row_id}) as label,
        list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) as evidence
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where
        c.source_table = 'diagnoses'
        and (c.concept = 'cns_possible_lupus' or (c.concept = 'cns_seizure' and c.event_date <= p.as_of))
    group by c.patient_id
)

select
    p.patient_id,
    case
        when v.patient_id is not null then failed(said_event(v), v.evidence || coalesce(s.evidence, []), 'lasting')
        when s.patient_id is not null
            then failed(said_event(s), s.evidence, 'timed', leaves_window(s.event_date, to_days(365)))
        when d.patient_id is not null then to_review('needs_attribution', said_event(d), d.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join never as v on p.patient_id = v.patient_id
left join seizure as s on p.patient_id = s.patient_id
left join doubtful as d on p.patient_id = d.patient_id
inner join no_record(
    'diagnoses', ['cns_never_lupus', 'cns_seizure'], ['cns_never_lupus', 'cns_seizure', 'cns_possible_lupus'], null
) as n on p.patient_id = n.patient_id
