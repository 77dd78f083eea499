-- title:    Lupus antibody positive at screening
-- title_zh: 筛选时狼疮抗体阳性
-- kind:     inclusion
-- reading:  ANA, anti-dsDNA or anti-Sm positive by the latest result of each within P:serology_days.
-- reading_zh: ANA、抗dsDNA抗体或抗Sm抗体，各取P:serology_days内最近一次结果，任一项阳性。
-- caveats:  Treatment can turn antibodies negative; an older positive is told as stale, never as a pass.
-- caveats_zh: 治疗可使抗体转阴；更早的阳性结果只提示为过期，从不据此判为符合。
-- sources:  analytes ana, anti_dsdna, anti_sm within P:serology_days
-- judged:   An equivocal antibody result.
-- judged_zh: 抗体结果为可疑（灰区）时。
-- on_fail:  changeable
with antibodies as (
    select 'ana' as wanted, * from latest_result('ana', param('serology_days'))
    union all
    select 'anti_dsdna', * from latest_result('anti_dsdna', param('serology_days'))
    union all
    select 'anti_sm', * from latest_result('anti_sm', param('serology_days'))
),

together as (
    select
        patient_id,
        list(latest order by wanted) filter (where latest.serology = 'positive') as positives,
        list(latest order by wanted) filter (where latest.serology = 'equivocal') as equivocals,
        list(latest order by wanted) filter (where latest.serology = 'negative') as negatives,
        list(nothing order by wanted) filter (where latest is null) as missing
    from antibodies
    group by patient_id
),

earlier as (
    select patient_id, max(taken_date) as positive_date
    from norm.results
    where analyte in ('ana', 'anti_dsdna', 'anti_sm') and serology = 'positive'
    group by patient_id
)

select
    patient_id,
    case
        when positives is not null
            then passed(flatten(list_transform(positives, lambda r: said_result(r))), flatten(list_transform(positives, lambda r: cited(r))))
        when equivocals is not null
            then to_review(
                'needs_attribution',
                flatten(list_transform(equivocals, lambda r: said_result(r))),
                flatten(list_transform(equivocals, lambda r: cited(r)))
            )
        when len(negatives) = 3
            then failed(
                flatten(list_transform(negatives, lambda r: said_result(r))),
                flatten(list_transform(negatives, lambda r: cited(r))),
                'changeable'
            )
        when list_contains(list_transform(missing, lambda m: m.reason_code), 'unusable_data')
            then settle(list_filter(missing, lambda m: m.reason_code = 'unusable_data'))
        when positive_date is not null then undecided('stale_data', say('serology.positive_before', positive_date))
        else undecided('missing_data', flatten(list_transform(missing, lambda m: m.reason)))
    end as outcome
from together
left join earlier using (patient_id)
