-- title:    Infection that needs intravenous antimicrobials
-- title_zh: 需静脉抗感染治疗的感染
-- kind:     exclusion
-- reading:  An iv antimicrobial on a day within 7 days excludes; one without a route, or an infection within 14 days that is not a simple one, is for a clinician.
-- reading_zh: 7天内任何一天静脉使用抗感染药者，排除；途径未记录者，或14天内有非单纯性感染者，由医生判断。
-- caveats:  Prophylaxis given by mouth is no such treatment.
-- caveats_zh: 口服预防用药不属于此类治疗。
-- sources:  class antimicrobial within 7 days; concepts infection, infection_simple in diagnoses within 14 days
-- judged:   Whether the infection needs intravenous treatment or is uncontrolled; whether a drug without a route was given into a vein.
-- judged_zh: 感染是否需要静脉抗感染治疗或未能控制；途径未记录的药物是否为静脉给药。
-- on_fail:  changeable
with courses as (
    select
        patient_id,
        coalesce(route = 'iv' or (route is null and is_named_parenteral), false) as is_intravenous,
        max(start_date) as start_date,
        max_by(ingredient, {'a': start_date, 'b': medication_id}) as ingredient,
        list(cite('medications', medication_id, start_date)) as evidence
    from norm.medications
    where
        "class" = 'antimicrobial' and not is_as_needed and last_date >= as_of - 7
        and (route = 'iv' or (route is null and route_group <> 'local'))
    group by all
),

infections as (
    select
        c.patient_id,
        c.concept,
        max(c.event_date) as event_date,
        max_by(c.label, {'a': c.event_date, 'b': c.row_id}) as label,
        list(cite('diagnoses', c.row_id, c.event_date, c.known_date)) as evidence
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where
        c.concept = 'infection' and c.source_table = 'diagnoses' and within(c.event_date, p.as_of, to_days(14))
        and not exists (
            select 1 from norm.conditions as s
            where s.row_id = c.row_id and s.source_table = 'diagnoses' and s.concept = 'infection_simple'
        )
    group by c.patient_id, c.concept
),

parts as (
    select
        p.patient_id,
        [
            case
                when v.patient_id is not null then failed(say('drug.given', v.ingredient, v.start_date), v.evidence, 'changeable')
                when u.patient_id is not null
                    then to_review('needs_attribution', say('drug.without_route', u.ingredient, u.start_date), u.evidence)
                else m.nothing
            end,
            case
                when i.patient_id is not null then to_review('needs_attribution', said_event(i), i.evidence)
                else n.nothing
            end
        ] as parts
    from norm.patients as p
    left join courses as v on p.patient_id = v.patient_id and v.is_intravenous
    left join courses as u on p.patient_id = u.patient_id and not u.is_intravenous
    left join infections as i on p.patient_id = i.patient_id
    inner join no_medication(['antimicrobial'], to_days(7), 'intravenous') as m on p.patient_id = m.patient_id
    inner join no_record('diagnoses', ['infection'], ['infection'], to_days(14)) as n on p.patient_id = n.patient_id
)

select patient_id, all_of(parts) as outcome from parts
