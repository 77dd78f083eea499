-- One row per lab result. Where value is blank or de-identified ('___') the number is in valuenum, else the result is the first
-- sentence of the comment ('NEG.', '<0.01.  CTROPNT > 0.10 …', '1:40.  PATTERN-SPECKLED.'), read only where that sentence is wholly a
-- known word, a censored number, a titre or a range. '0-2' is said as '<=2', the same interval; other ranges stay as reported.
-- An item without a trusted LOINC is LOCAL, its name followed by its fluid so that no urine creatinine passes for a blood one.
-- A test that was not done is cancelled; a result that stays unread keeps the value '___'. The comment itself is not copied.
with items as (
    select
        itemid,
        min(label) as label,
        min(fluid) as fluid,
        min(category) as category
    from src.d_labitems
    group by itemid
),

trusted as (
    select
        itemid,
        label,
        fluid,
        loinc
    from maps.labitems
    where status = 'active'
),

general_units as (
    select
        reported,
        unit
    from maps.lab_units
    where itemid is null
),

codes as (
    select
        coalesce(i.itemid, m.itemid) as itemid,
        coalesce(i.label, m.label) as label,
        coalesce(i.fluid, m.fluid) as fluid,
        i.category,
        m.loinc,
        i.fluid is null or m.fluid is null or lower(i.fluid) = lower(m.fluid) as is_same_fluid
    from items as i
    full join trusted as m on i.itemid = m.itemid
),

events as (
    select
        *,
        case when value <> '___' then value end as reported,
        regexp_replace(valuenum, '\.0+$', '') as value_number,
        case when comments <> '___' then comments end as comment
    from src.labevents
),

said as (
    select
        *,
        case
            when reported is null and value_number is null and comment is not null
                then regexp_extract(comment, '^[\s;]*(.*?)[\s*]*(\.(\s|$)|;|\s{2,}|$)', 1, 's')
        end as sentence
    from events
),

read_comments as (
    select
        s.*,
        w.kind as word_kind,
        case
            when s.sentence is null then null
            when w.kind = 'no_result' then null
            when regexp_matches(s.comment, '^[\s;]*POS(ITIVE)?[\s*.]+TITER\s*[=:]?\s*1:\d+', 'i')
                then 'POSITIVE 1:' || regexp_extract(s.comment, 'TITER\s*[=:]?\s*1:(\d+)', 1, 'i')
            when w.kind = 'result' then s.sentence
            when regexp_full_match(s.sentence, '(<|>|<=|>=)\s*(\d[\d,]*(\.\d+)?|\.\d+)') then s.sentence
            when regexp_full_match(s.sentence, '(<|>|<=|>=)?\s*1:\d+') then s.sentence
            when regexp_full_match(s.sentence, '\d+(\.\d+)?\s*-\s*\d+(\.\d+)?') then s.sentence
            when
                regexp_full_match(upper(s.sentence), '(LESS|GREATER) THAN \d[\d,]*(\.\d+)?( [^ ]+)?')
                and split_part(upper(s.sentence), ' ', 4) in ('', upper(coalesce(s.valueuom, '')))
                then if(upper(s.sentence) like 'LESS%', '<', '>') || split_part(s.sentence, ' ', 3)
            when regexp_full_match(upper(s.sentence), '(NEG|NEGATIVE|POS|POSITIVE) BY [A-Z ,-]+') then split_part(s.sentence, ' ', 1)
            when regexp_full_match(upper(s.sentence), '[A-Z0-9 -]+ [DR]NA( IS)? NOT DETECTED') then 'not detected'
        end as from_comment
    from said as s
    left join maps.result_words as w on upper(s.sentence) = w.word
),

valued as (
    select
        *,
        try_cast(charttime as timestamp) as collected_at,
        coalesce(reported, value_number, from_comment) as found,
        case
            when contains(coalesce(reported, from_comment), '-')
                then regexp_extract(coalesce(reported, from_comment), '^(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)$', ['low', 'high'])
        end as ends
    from read_comments
)

select
    v.labevent_id as lab_id,
    v.subject_id as patient_id,
    case when c.loinc is not null and c.is_same_fluid then 'LOINC' else 'LOCAL' end as code_system,
    case when c.loinc is not null and c.is_same_fluid then c.loinc else v.itemid end as code,
    case
        when c.loinc is not null and c.is_same_fluid then c.label
        else coalesce(c.label, 'item ' || v.itemid) || ' [' || concat_ws(', ', c.fluid, c.category) || ']'
    end as test_name,
    v.collected_at,
    case
        when v.ends['low'] = '0' then '<=' || v.ends['high']
        else coalesce(v.found, '___')
    end as value,
    case when u.itemid is not null then u.unit when g.reported is not null then g.unit else v.valueuom end as unit,
    case when l.itemid is null then try_cast(v.ref_range_lower as double) end as ref_low,
    case when l.itemid is null then try_cast(v.ref_range_upper as double) end as ref_high,
    case when lower(v.flag) = 'abnormal' then 'A' end as flag,
    case when v.found is null and v.word_kind = 'no_result' then 'cancelled' end as status,
    nullif(concat_ws(
        ';',
        case when v.labevent_id is null then 'lost:no_id' end,
        case when v.subject_id is null then 'lost:no_patient' end,
        case when v.itemid is null then 'lost:no_code' end,
        case when v.collected_at is null then 'lost:no_date' end,
        reason(c.loinc is null, 'no_loinc', v.itemid || ' ' || coalesce(c.label, '') || ' ' || coalesce(c.fluid, '')),
        reason(c.loinc is not null and not c.is_same_fluid, 'fluid_differs', v.itemid),
        case
            when v.found is not null then null
            when v.word_kind = 'no_result' then 'no_result'
            when v.comment is null then 'no_value'
            else reason(true, 'value_in_comment_unreadable', v.itemid || ' ' || coalesce(c.label, ''))
        end,
        case
            when v.ends['low'] = '0' then 'range_from_zero'
            when v.ends['low'] <> '' then 'range'
        end,
        reason(l.itemid is not null and v.ref_range_upper is not null, 'limits_not_normal', v.itemid || ' ' || coalesce(c.label, '')),
        reason(v.flag is not null and lower(v.flag) <> 'abnormal', 'flag_unknown', v.flag)
    ), '') as unmapped
from valued as v
left join codes as c on v.itemid = c.itemid
left join maps.lab_units as u on v.itemid = u.itemid and lower(v.valueuom) = lower(u.reported)
left join general_units as g on lower(v.valueuom) = lower(g.reported)
left join maps.lab_limits as l on v.itemid = l.itemid
