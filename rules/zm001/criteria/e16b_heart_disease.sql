-- title:    Heart disease within 6 months
-- title_zh: 6个月内心脏疾病
-- kind:     exclusion
-- reading:  Listed heart disease within 6 calendar months, latest QTc there above 480 ms, or latest LVEF there below 50 %; disease whose grade decides, in the window or active, is for a clinician.
-- reading_zh: 6个日历月内有所列心脏疾病，或其间最近一次QTc>480 ms，或其间最近一次LVEF<50%；须凭分级判定的疾病，在时间窗内或仍为活动状态者，由医生判断。
-- caveats:  Grades and "complete" bundle branch block are not always coded; an old infarction has no date.
-- caveats_zh: 分级以及“完全性”束支阻滞不一定有编码；陈旧性心肌梗死没有日期。
-- sources:  concept cardiac_fail in diagnoses, procedures within 6 months; concept cardiac_grade in diagnoses, procedures within 6 months or active; analytes qtc, lvef within 6 months
-- judged:   The grade of valve, pericardial, rhythm and conduction disease and the NYHA class of heart failure; whether other heart disease is clinically significant.
-- judged_zh: 瓣膜病、心包疾病、心律失常和传导阻滞的分级，心力衰竭的NYHA分级；其他心脏疾病是否有临床意义。
-- on_fail:  timed
with latest as (
    select
        r.patient_id,
        max_by(r, {'a': r.taken_at, 'b': r.is_corrected, 'c': r.row_id}) filter (where r.analyte = 'qtc') as qtc,
        max_by(r, {'a': r.taken_at, 'b': r.is_corrected, 'c': r.row_id}) filter (where r.analyte = 'lvef') as lvef
    from norm.results as r
    inner join norm.patients as p on r.patient_id = p.patient_id
    where r.cause is null and within(r.taken_date, p.as_of, interval 6 month) and r.analyte in ('qtc', 'lvef')
    group by r.patient_id
),

recent as (
    from events(['cardiac_fail'], ['diagnoses', 'procedures'], interval 6 month)
),

graded as (
    from events_or_active(['cardiac_grade'], ['diagnoses', 'procedures'], interval 6 month)
),

parts as (
    select
        p.patient_id,
        list_filter(
            [
                case
                    when r.patient_id is not null
                        then failed(said_event(r), r.evidence, 'timed', leaves_window(r.event_date, interval 6 month))
                    when g.patient_id is not null then to_review('needs_attribution', said_event(g), g.evidence)
                    else n.nothing
                end,
                case
                    when greater(l.qtc.interval_, 480)
                        then failed(said_result(l.qtc), cited(l.qtc), 'timed', leaves_window(l.qtc.taken_date, interval 6 month))
                    when l.qtc is not null and greater(l.qtc.interval_, 480) is null
                        then undecided('censored', said_result(l.qtc), cited(l.qtc))
                end,
                case
                    when less(l.lvef.interval_, 50)
                        then failed(said_result(l.lvef), cited(l.lvef), 'timed', leaves_window(l.lvef.taken_date, interval 6 month))
                    when l.lvef is not null and less(l.lvef.interval_, 50) is null
                        then undecided('censored', said_result(l.lvef), cited(l.lvef))
                end
            ],
            lambda part: part is not null
        ) as parts
    from norm.patients as p
    left join recent as r on p.patient_id = r.patient_id
    left join graded as g on p.patient_id = g.patient_id
    left join latest as l on p.patient_id = l.patient_id
    inner join no_record('diagnoses', ['cardiac_fail'], ['cardiac_fail', 'cardiac_grade'], interval 6 month) as n on p.patient_id = n.patient_id
)

select patient_id, all_of(parts) as outcome from parts
