-- title:    Age 18 to 70 years
-- title_zh: 年龄18至70岁
-- kind:     inclusion
-- reading:  Whole years completed on day D, both ends included; with a birth year alone the age is an interval of two years.
-- reading_zh: D日的周岁年龄，上下限均含在内；仅有出生年份时，年龄为相邻两个周岁的区间。
-- caveats:  Dates of birth are often cut to the year in de-identified extracts.
-- caveats_zh: 去标识化数据中的出生日期常只保留年份。
-- sources:  table patients
-- on_fail:  timed
select
    patient_id,
    final(dated(
        case
            when age_low >= 18 and age_high <= 70
                then passed(say('age.inside', age_text), [cite('patients', patient_id, null)])
            when age_high < 18
                then failed(
                    say('age.below', age_text),
                    [cite('patients', patient_id, null)],
                    'timed',
                    case
                        when birth_date is null then make_date(birth_year + 18, 1, 1)
                        when month(birth_date) = 2 and day(birth_date) = 29 and month(birth_date + interval 18 year) = 2
                            and day(birth_date + interval 18 year) = 28
                            then make_date(year(birth_date) + 18, 3, 1)
                        else (birth_date + interval 18 year)::date
                    end
                )
            when age_low > 70 then failed(say('age.above', age_text), [cite('patients', patient_id, null)], 'lasting')
            else undecided('missing_data', say('age.straddles', age_text))
        end,
        null
    )) as outcome
from (
    select *, case when age_low = age_high then age_low::varchar else age_low || '-' || age_high end as age_text
    from norm.patients
)
