-- title:    Not pregnant; contraception
-- title_zh: 未妊娠并采取避孕措施
-- kind:     inclusion
-- reading:  A pregnancy recorded within 280 days with no end since fails. Otherwise blood hCG within P:pregnancy_days decides for those who may bear children: not men, not above P:childbearing_max_age, not after hysterectomy or the like unless a pregnancy or positive hCG came later.
-- reading_zh: 280天内有妊娠记录且此后无终止记录者不符合。其余有生育可能者，以P:pregnancy_days内的血hCG为准；男性、年龄大于P:childbearing_max_age岁者，以及子宫切除等术后（此后无妊娠诊断或hCG阳性）者不适用。
-- caveats:  Consent to contraception is asked in person; a urine test alone decides nothing.
-- caveats_zh: 避孕意愿须当面询问；仅凭尿妊娠试验不作判定。
-- sources:  concept pregnancy in diagnoses ever; concepts pregnancy_end, not_childbearing in diagnoses, procedures ever; analytes hcg_blood, hcg_urine within P:pregnancy_days; table patients
-- judged:   A positive urine test without a blood test; an equivocal blood test; consent to contraception, also of men.
-- judged_zh: 仅有尿妊娠试验阳性而无血检；血hCG结果可疑；是否同意避孕（男性亦然）。
-- on_fail:  changeable
with barren as (
    from events(['not_childbearing'], ['diagnoses', 'procedures'], null)
),

later_signs as (
    select distinct b.patient_id
    from barren as b
    where
        exists (
            select 1 from norm.conditions as c
            where c.patient_id = b.patient_id and c.concept = 'pregnancy' and c.event_date > b.event_date
        )
        or exists (
            select 1 from norm.results as r
            where
                r.patient_id = b.patient_id and r.analyte in ('hcg_blood', 'hcg_urine')
                and r.serology = 'positive' and r.taken_date > b.event_date
        )
),

pregnancies as (
    select
        c.patient_id,
        max(c.event_date) as event_date,
        list(cite(c.source_table, c.row_id, c.event_date, c.known_date)) as evidence
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where
        c.concept = 'pregnancy' and c.source_table = 'diagnoses' and c.is_active
        and within(c.event_date, p.as_of, to_days(280))
        and not exists (
            select 1 from norm.conditions as e
            where e.patient_id = c.patient_id and e.concept = 'pregnancy_end' and e.event_date >= c.event_date
        )
    group by c.patient_id
)

select
    p.patient_id,
    case
        when p.sex = 'male' then final(not_applicable(say('pregnancy.male'), []))
        when p.is_past_childbearing then not_applicable(say('pregnancy.age', p.age_low), [])
        when b.patient_id is not null and s.patient_id is null then not_applicable(said_event(b), b.evidence)
        when g.patient_id is not null and blood.latest.serology = 'positive'
            then failed(
                say('pregnancy.recorded', g.event_date) || said_result(blood.latest), g.evidence || cited(blood.latest), 'changeable'
            )
        when g.patient_id is not null then failed(say('pregnancy.recorded', g.event_date), g.evidence, 'changeable')
        when blood.latest.serology = 'positive' then failed(said_result(blood.latest), cited(blood.latest), 'changeable')
        when blood.latest.serology = 'negative' then passed(said_result(blood.latest), cited(blood.latest))
        when blood.latest is not null then to_review('needs_attribution', said_result(blood.latest), cited(blood.latest))
        when urine.latest.serology = 'positive' then to_review('needs_attribution', said_result(urine.latest), cited(urine.latest))
        else blood.nothing
    end as outcome
from (select *, age_low > param('childbearing_max_age') as is_past_childbearing from norm.patients) as p
left join barren as b on p.patient_id = b.patient_id
left join later_signs as s on p.patient_id = s.patient_id
left join pregnancies as g on p.patient_id = g.patient_id
inner join latest_result('hcg_blood', param('pregnancy_days')) as blood on p.patient_id = blood.patient_id
inner join latest_result('hcg_urine', param('pregnancy_days')) as urine on p.patient_id = urine.patient_id
