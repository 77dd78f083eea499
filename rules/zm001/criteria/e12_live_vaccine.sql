-- title:    Live vaccine within 6 weeks
-- title_zh: 6周内接种活疫苗
-- kind:     exclusion
-- reading:  42 days, both ends included.
-- reading_zh: 42天内，两端均含在内。
-- caveats:  Vaccines given outside the hospital are often missing from the extract.
-- caveats_zh: 院外接种的疫苗常不在数据中。
-- sources:  concept live_vaccine in immunizations within 42 days
-- on_fail:  timed
with found as (
    from events(['live_vaccine'], ['immunizations'], to_days(42))
)

select
    p.patient_id,
    case
        when f.patient_id is not null then failed(said_event(f), f.evidence, 'timed', leaves_window(f.event_date, to_days(42)))
        else n.nothing
    end as outcome
from norm.patients as p
left join found as f on p.patient_id = f.patient_id
inner join no_record('immunizations', ['live_vaccine'], ['live_vaccine'], to_days(42)) as n on p.patient_id = n.patient_id
