-- title:    SLEDAI-2K of at least 7, or a vital organ involved
-- title_zh: SLEDAI-2K≥7分，或重要脏器受累
-- kind:     inclusion
-- reading:  The latest recorded total within P:sledai_window_days, else the bounds of the descriptors; or platelets within P:blood_days below 30 ×10⁹/L, or below 50 ×10⁹/L with bleeding within 30 days.
-- reading_zh: P:sledai_window_days内最近一次记录的总分；无记录时，以各条目推算的上下界为准；或P:blood_days内血小板低于30×10⁹/L，或低于50×10⁹/L且30天内有出血。
-- caveats:  Descriptors that stand in notes stay unknown, so records alone almost never prove a score below 7; drug-induced low counts are not told apart.
-- caveats_zh: 只见于病历文书的条目保持未知，因此仅凭结构化记录几乎无法证明总分低于7分；药物所致的血细胞减少无法区分。
-- sources:  items sledai within P:sledai_window_days; analyte sledai_total within P:sledai_window_days; analyte platelets within P:blood_days; concepts bleeding_grave, bleeding_other in diagnoses within 30 days; derived feat.sledai
-- judged:   Which is right where a recorded total below 7 stands against descriptors that prove 7 or more; whether another vital organ is involved.
-- judged_zh: 记录的总分低于7分而各条目已证实≥7分时，以何者为准；是否有其他重要脏器受累。
-- on_fail:  changeable
with present as (
    select
        patient_id,
        flatten(list(said_item(item_id, weight, told) order by position)) as reason,
        flatten(list(evidence order by position)) as evidence
    from feat.sledai_items
    where state = 'present'
    group by patient_id
),

decided as (
    select patient_id, flatten(list(evidence order by position)) as evidence
    from feat.sledai_items
    where state <> 'unknown'
    group by patient_id
),

score as (
    select
        s.patient_id,
        case
            when s.sledai_recorded >= 7 then passed(r.said, cited(s.recorded))
            when s.sledai_recorded < 7 and s.sledai_low < 7 then failed(r.said || r.proven, cited(s.recorded), 'changeable')
            when s.sledai_recorded < 7
                then to_review('conflicting_data', r.said || r.proven || p.reason, cited(s.recorded) || p.evidence)
            when s.sledai_low >= 7 then passed(r.proven || p.reason, p.evidence)
            when s.sledai_high < 7 then failed(r.proven || coalesce(p.reason, []), d.evidence, 'changeable')
            when s.nothing_recorded.reason_code = 'unusable_data' then settle([s.nothing_recorded, undecided('missing_data', r.proven)])
            else undecided('missing_data', r.proven, p.evidence)
        end as part
    from feat.sledai as s
    left join present as p on s.patient_id = p.patient_id
    left join decided as d on s.patient_id = d.patient_id
    inner join (
        select
            patient_id,
            say('activity.recorded', sledai_recorded, recorded.taken_date) as said,
            say('activity.proven', sledai_low, sledai_high) as proven
        from feat.sledai
    ) as r on s.patient_id = r.patient_id
),

bleeding as (
    from events(['bleeding_grave', 'bleeding_other'], ['diagnoses'], to_days(30))
),

counted as (
    select
        patient_id,
        latest,
        nothing,
        less(latest.interval_, 30) as is_below_30,
        less(latest.interval_, 50) as is_below_50
    from latest_result('platelets', param('blood_days'))
),

organ as (
    select
        c.patient_id,
        case
            when c.latest is null then c.nothing
            when c.is_below_30 then judge(c.latest, c.nothing, true, '< 30 ' || u.canonical_unit)
            when b.patient_id is not null and c.is_below_50
                then passed(
                    judge(c.latest, c.nothing, true, '< 50 ' || u.canonical_unit).reason || said_event(b), cited(c.latest) || b.evidence
                )
            when b.patient_id is not null or not c.is_below_50 then judge(c.latest, c.nothing, c.is_below_50, '< 50 ' || u.canonical_unit)
            when n.nothing.verdict = 'pass' then judge(c.latest, c.nothing, c.is_below_30, '< 30 ' || u.canonical_unit)
            when not c.is_below_30 and c.is_below_50 then n.nothing
            else settle([undecided('censored', said_result(c.latest), cited(c.latest)), n.nothing])
        end as part
    from counted as c
    inner join map.analytes as u on u.analyte = 'platelets'
    left join bleeding as b on c.patient_id = b.patient_id
    inner join no_record(
        'diagnoses', ['bleeding_grave', 'bleeding_other'], ['bleeding_grave', 'bleeding_other'], to_days(30)
    ) as n on c.patient_id = n.patient_id
)

select s.patient_id, any_of([s.part, o.part]) as outcome
from score as s
inner join organ as o on s.patient_id = o.patient_id
