-- title:    Deep vein thrombosis or pulmonary embolism within 6 months
-- title_zh: 6个月内深静脉血栓或肺栓塞
-- kind:     exclusion
-- reading:  Dated within 6 calendar months.
-- reading_zh: 日期在6个日历月内。
-- caveats:  History codes carry no date of the event.
-- caveats_zh: 病史类编码不带事件日期。
-- sources:  concept vte in diagnoses within 6 months
-- on_fail:  timed
with found as (
    from events(['vte'], ['diagnoses'], interval 6 month)
)

select
    p.patient_id,
    case
        when f.patient_id is not null then failed(said_event(f), f.evidence, 'timed', leaves_window(f.event_date, interval 6 month))
        else n.nothing
    end as outcome
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
inner join no_record('diagnoses', ['vte'], ['vte'], interval 6 month) as n on p.patient_id = n.patient_id
