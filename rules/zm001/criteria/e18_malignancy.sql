-- title:    Malignancy within 5 years
-- title_zh: 5年内恶性肿瘤
-- kind:     exclusion
-- reading:  A malignancy that is not exempt, dated within 5 calendar years and not said to be over, excludes; one that is over, an older one that is stated active, or one whose kind decides is for a clinician.
-- reading_zh: 不属豁免的恶性肿瘤，日期在5个日历年内且未注明已结束者，排除；已结束者、更早而注明仍为活动状态者，或取决于肿瘤类型者，由医生判断。
-- caveats:  WHO codes of skin cancer do not tell basal cell from others.
-- caveats_zh: WHO的皮肤癌编码不能区分基底细胞癌与其他类型。
-- sources:  concept malignancy in diagnoses within 5 years or active; concept malignancy_uncertain in diagnoses within 5 years; concept malignancy_allowed in diagnoses ever
-- judged:   Whether a malignancy that is over was treated, whether an older one is still present, and of which kind a skin cancer is.
-- judged_zh: 已结束的恶性肿瘤是否经过治疗，较早的肿瘤是否仍存在，皮肤癌属何种类型。
-- on_fail:  timed
with tumours as (
    select c.*, within(c.event_date, p.as_of, interval 5 year) as is_in_window
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where
        c.concept = 'malignancy' and c.source_table = 'diagnoses'
        and not exists (
            select 1 from norm.conditions as o
            where o.row_id = c.row_id and o.source_table = 'diagnoses' and o.concept in ('malignancy_allowed', 'malignancy_uncertain')
        )
),

judged as (
    select patient_id, concept, event_date, known_date, row_id, label,
        case
            when is_in_window and status = 'active' then 'fail'
            when is_in_window or (event_date < current_day and is_stated_active) then 'review'
        end as verdict
    from (select t.*, p.as_of as current_day from tumours as t inner join norm.patients as p on t.patient_id = p.patient_id)
    union all
    select c.patient_id, c.concept, c.event_date, c.known_date, c.row_id, c.label, 'review'
    from norm.conditions as c
    inner join norm.patients as p on c.patient_id = p.patient_id
    where c.concept = 'malignancy_uncertain' and c.source_table = 'diagnoses' and within(c.event_date, p.as_of, interval 5 year)
),

found as (
    select
        patient_id,
        verdict,
        max(event_date) as event_date,
        max_by(concept, {'a': event_date, 'b': row_id}) as concept,
        max_by(label, {'a': event_date, 'b': row_id}) as label,
        list(cite('diagnoses', row_id, event_date, known_date)) as evidence
    from judged
    where verdict is not null
    group by patient_id, verdict
)

select
    p.patient_id,
    case
        when f.patient_id is not null
            then failed(said_event(f), f.evidence, 'timed', leaves_window(f.event_date, interval 5 year))
        when r.patient_id is not null then to_review('needs_attribution', said_event(r), r.evidence)
        else n.nothing
    end as outcome
from norm.patients as p
left join found as f on p.patient_id = f.patient_id and f.verdict = 'fail'
left join found as r on p.patient_id = r.patient_id and r.verdict = 'review'
inner join no_record(
    'diagnoses', ['malignancy'], ['malignancy', 'malignancy_allowed', 'malignancy_uncertain'], interval 5 year
) as n on p.patient_id = n.patient_id
