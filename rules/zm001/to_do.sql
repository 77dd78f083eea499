-- What a nurse can do next for each candidate: at most five steps, the one that would raise expected_pass most first.
-- acts.csv says what settles an item: of its rows that fit the item's state, cause and sentences, those of the lowest turn count.
-- says names a sentence: by its key, by key and first argument, or as `lacks ANALYTE` any sentence of a result that is wanting.

-- One row per open item of a candidate and sentence of it that an act answers. Open are undecided and failing items, and a criterion
-- that its own chart review leaves so; judgement items only where nothing else is open.
-- gain: what expected_pass is multiplied by when the item passes; null where the item is in no product.
create or replace table pub.acts as
with open_items as (
    select
        v.patient_id,
        v.item_id,
        v.position,
        case v.verdict when 'fail' then 'fail ' || v.fail_kind else v.verdict end as state,
        coalesce(v.reason_code, '') as reason_code,
        case when len(v.reason) > 0 then v.reason else [null] end as reason,
        coalesce(v.evidence_date, newest(v.evidence)) as on_date,
        v.next_date,
        case when v.verdict <> 'fail' and v.is_leaf and not v.is_judgement then 1 / chance_of(p.pass_share, v.verdict) end as gain
    from pub.verdicts as v
    inner join pub.candidates as c on v.patient_id = c.patient_id
    left join pub.chances as p on v.item_id = p.item_id
    where
        c.is_listed
        and v.verdict <> 'pass'
        and (v.is_leaf or list_contains(c.failing, v.item_id) or list_contains(c.to_review, v.item_id))
        and (v.reason_code is distinct from 'judgement' or c.tier = 'ready')
),

sentences as (
    select
        * exclude (reason, said),
        coalesce(said."key", '') as said_key,
        coalesce(said.args[1], '') as first_arg,
        coalesce(said.args, []) as said_args
    from (select *, unnest(reason) as said from open_items)
),

-- What an act fits is asked once per kind of sentence, not once per patient.
kinds as (
    select distinct
        item_id,
        state,
        reason_code,
        said_key,
        first_arg,
        if(
            said_key in (
                'result.missing_data', 'result.stale_data', 'result.unusable_data', 'result.no_limit', 'result.table_absent', 'result.censored'
            ),
            said_key[8:],
            null
        ) as lack
    from sentences
),

fitting as (
    select
        k.*,
        a.act,
        a.verb,
        a."text",
        m."text" as template,
        a.note,
        a.says,
        a.place,
        coalesce(starts_with(a.says, 'lacks '), false) as is_test,
        a.turn
    from kinds as k
    inner join run.acts as a
        on coalesce(a.item_id = k.item_id, true)
        and a.state = k.state
        and coalesce(a.reason_code = k.reason_code, true)
        and (
            a.says is null
            or a.says in (k.said_key, k.said_key || ' ' || k.first_arg)
            or (k.lack is not null and a.says = 'lacks ' || k.first_arg[10:])
        )
    left join run.messages as m on a."text" = m."key"
),

lowest as (
    select patient_id, item_id, min(turn) as turn
    from sentences
    inner join fitting using (item_id, state, reason_code, said_key, first_arg)
    group by patient_id, item_id
),

answers as (
    select *
    from sentences
    inner join lowest using (patient_id, item_id)
    inner join fitting using (item_id, state, reason_code, said_key, first_arg, turn)
),

-- A result that is there but cannot be used is looked up, unless its item or its test is to be done anyway.
done_anyway as (
    select distinct patient_id, item_id, "text"
    from sentences
    inner join lowest using (patient_id, item_id)
    inner join fitting using (item_id, state, reason_code, said_key, first_arg, turn)
    where is_test and lack not in ('unusable_data', 'no_limit', 'table_absent')
),

weighed as (
    select
        a.*,
        a.is_test and i.patient_id is null and t.patient_id is null as is_there,
        w.last_date
    from answers as a
    left join (select distinct patient_id, item_id from done_anyway) as i on a.patient_id = i.patient_id and a.item_id = i.item_id
    left join (select distinct patient_id, "text" from done_anyway) as t on a.patient_id = t.patient_id and a."text" = t."text"
    left join (
        select patient_id, max(if(state = 'fail timed', next_date, date '9999-12-31')) as last_date
        from open_items
        where starts_with(state, 'fail')
        group by patient_id
    ) as w on a.patient_id = w.patient_id
)

select
    patient_id,
    item_id,
    position,
    position * 1000 + place as place,
    gain,
    next_date,
    case when is_there then 'values' when act = 'ask' then 'ask ' || item_id else act end as act,
    case when is_there then 'value' when verb is null then if(lack = 'missing_data', 'order', 'repeat') else verb end as verb,
    template,
    if(contains(template, '{0}'), item_id, null) as title_of,
    case when not contains(template, '{') then [] when says is null then [on_date::varchar] else said_args end as args,
    -- what time alone changes: its window is told where the day named is not its own
    if(
        act = 'wait' and next_date = last_date,
        null,
        'todo.note.' || note || coalesce('.' || nullif(if(is_test, lack, reason_code), ''), '')
    ) as note,
    [
        if(is_test, case when lack in ('stale_data', 'unusable_data') then said_args[2] else said_args[3] end, on_date::varchar),
        said_args[2]
    ] as note_args
from weighed;

-- One row per candidate and step. Within a step, parts with the same note stand together, then parts with the same verb.
-- A step that holds a fail, or what no product counts, always keeps a place among the five; it stands last, since it raises nothing.
create or replace table pub.steps as
with texts as (
    select map_from_entries(list({'k': "key", 'v': "text"})) as t from run.messages where starts_with("key", 'todo.')
),

-- A diagnosis is named by its display, else by a word for its kind and its code.
events as (
    select patient_id, event_date, code_system || ' ' || code as label, left(min(trim(display)), 60) as display
    from norm.diagnoses
    where trim(display) <> ''
    group by all
),

-- A test or a question of several items is one part; of its notes the newest counts.
parts as (
    select
        patient_id,
        act,
        template,
        args,
        title_of,
        min(place) as place,
        min_by(verb, {'a': verb <> 'repeat', 'b': verb}) as verb,
        max_by({'note': note, 'args': note_args}, {'a': coalesce(note_args[1], ''), 'b': note, 'c': coalesce(note_args[2], '')}) as note
    from pub.acts
    group by all
),

worded as (
    select
        p.patient_id,
        p.act,
        p.verb,
        p.place,
        case
            when len(p.args) = 0 and p.title_of is null then p.template
            else replace(
                filled(
                    p.template,
                    coalesce(
                        b."text",
                        if(regexp_matches(f."text", '^[A-Z][a-z]'), lower(f."text"[1]) || f."text"[2:], f."text"),
                        p.args[1],
                        ''
                    ),
                    if(
                        starts_with(p.args[1], '@concept.'),
                        [p.args[1], coalesce(e.display, k."text" || ' ' || p.args[2], p.args[2]), p.args[3]],
                        p.args
                    )
                ),
                '{0}',
                coalesce(i."text", c."text", p.title_of, '')
            )
        end as part,
        trim(filled(n."text", coalesce(p.note.args[1], ''), p.note.args)) as note
    from parts as p
    left join run.messages as f on p.args[1][1] = '@' and p.args[1][2:] = f."key"
    left join run.messages as b on b."key" = 'todo.short.' || p.args[1][10:]
    left join run.messages as k on k."key" = 'todo.event.' || p.args[1][10:]
    left join run.messages as n on p.note.note = n."key"
    left join run.messages as i on i."key" = 'title.' || p.title_of
    left join run.messages as c on c."key" = 'criterion.' || p.title_of
    left join events as e
        on starts_with(p.args[1], '@concept.') and p.patient_id = e.patient_id and p.args[2] = e.label and p.args[3] = e.event_date::varchar
),

noted as (
    select
        patient_id,
        act,
        verb,
        note,
        min(place) as place,
        replace(string_agg(part, chr(31) order by place, part), chr(31), any_value(t['todo.comma'])) as parts,
        any_value(part_count) as part_count
    from (
        select
            *,
            row_number() over (partition by patient_id, act, verb order by place, part) as part_no,
            count(*) over (partition by patient_id, act, verb) as part_count
        from worded
    )
    cross join texts
    where part_no <= 9
    group by patient_id, act, verb, note
),

verbs as (
    select
        n.patient_id,
        n.act,
        n.verb,
        replace(
            string_agg(
                if(n.note is null, n.parts, filled(t['todo.noted'], n.parts, [n.parts, n.note])), chr(31) order by n.place, n.parts
            ),
            chr(31),
            any_value(t['todo.comma'])
        ) as parts,
        max(n.part_count) - 9 as more
    from noted as n
    cross join texts
    group by n.patient_id, n.act, n.verb
),

sentences as (
    select
        v.patient_id,
        v.act,
        replace(
            string_agg(
                filled(
                    t['todo.verb.' || if(v.verb = 'wait' and c.next_date is null, 'not_before', v.verb) || if(v.parts is null, '.alone', '')],
                    if(v.more > 0, filled(t['todo.more'], v.parts, [v.parts, v.more::varchar]), v.parts),
                    [v.parts, coalesce(c.next_date, w.next_date)::varchar]
                ),
                chr(31) order by v.verb <> 'repeat', v.verb
            ),
            chr(31),
            any_value(t['todo.and'])
        ) as "text"
    from verbs as v
    cross join texts
    inner join pub.candidates as c on v.patient_id = c.patient_id
    left join (select patient_id, max(next_date) as next_date from pub.acts where act = 'wait' group by patient_id) as w
        on v.patient_id = w.patient_id
    group by v.patient_id, v.act
),

items as (
    select
        patient_id,
        act,
        list(item_id order by position) as item_ids,
        min(position) as position,
        round(coalesce(list_product(list(gain order by position)), 1), 6) as gain,
        bool_or(gain is null) as is_kept
    from (select distinct patient_id, act, item_id, position, gain from pub.acts)
    group by patient_id, act
),

chosen as (
    select i.*, s."text"
    from items as i
    inner join sentences as s on i.patient_id = s.patient_id and i.act = s.act
    qualify row_number() over (
        partition by i.patient_id order by i.is_kept desc, i.gain desc, i.position, i.act
    ) <= 5
)

select
    patient_id,
    row_number() over (
        partition by patient_id order by gain desc, coalesce(list_position(['change', 'against', 'wait'], act), 0), position, act
    )::integer as step_no,
    "text",
    item_ids,
    gain
from chosen;
