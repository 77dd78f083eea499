-- An outcome is what one item says of one patient: verdict, basis, cause, sentences, rows, dates and kind of fail.
-- Rules build it with passed, absent, not_applicable, failed, to_review and undecided; all_of and any_of combine several.

-- One row of the extract as evidence: the table, the row's id, the date it speaks of, the date it became known.
create or replace macro cite(source_table, row_id, on_date) as
    {'ref': source_table || ':' || row_id, 'on_date': on_date::date, 'known_date': on_date::date},
(source_table, row_id, on_date, known_on) as
    {'ref': source_table || ':' || row_id, 'on_date': on_date::date, 'known_date': known_on::date};

-- A sentence: a key of messages.csv and its arguments; an argument that begins with @ is itself a key.
create or replace macro say(message) as [{'key': message, 'args': []::varchar[]}],
(message, a) as [{'key': message, 'args': [a::varchar]}],
(message, a, b) as [{'key': message, 'args': [a::varchar, b::varchar]}],
(message, a, b, c) as [{'key': message, 'args': [a::varchar, b::varchar, c::varchar]}],
(message, a, b, c, d) as [{'key': message, 'args': [a::varchar, b::varchar, c::varchar, d::varchar]}],
(message, a, b, c, d, e) as [{'key': message, 'args': [a::varchar, b::varchar, c::varchar, d::varchar, e::varchar]}],
(message, a, b, c, d, e, f) as
    [{'key': message, 'args': [a::varchar, b::varchar, c::varchar, d::varchar, e::varchar, f::varchar]}];

-- A text of messages.csv with its arguments put in; the first is given apart, since it may be a key and then its text is put in.
create or replace macro filled(message, first_argument, args) as
    replace(replace(replace(replace(replace(replace(
        message,
        '{1}', coalesce(first_argument, '?')),
        '{2}', coalesce(args[2], '?')),
        '{3}', coalesce(args[3], '?')),
        '{4}', coalesce(args[4], '?')),
        '{5}', coalesce(args[5], '?')),
        '{6}', coalesce(args[6], '?'));

create or replace macro newest(evidence) as list_max(list_transform(evidence, lambda e: e.on_date));
create or replace macro newest_known(evidence) as list_max(list_transform(evidence, lambda e: e.known_date));

create or replace macro outcome(verdict, basis, reason_code, reason, evidence, evidence_date, known_date, next_date, fail_kind) as {
    'verdict': verdict::varchar,
    'basis': basis::varchar,
    'reason_code': reason_code::varchar,
    'reason': reason::struct("key" varchar, args varchar[])[],
    'evidence': coalesce(evidence, [])::struct(ref varchar, on_date date, known_date date)[],
    'evidence_date': evidence_date::date,
    'known_date': known_date::date,
    'next_date': next_date::date,
    'fail_kind': fail_kind::varchar,
    'is_final': false
};

-- Records decide that the item does not stand in the way.
create or replace macro passed(reason, evidence) as
    outcome('pass', 'data', null, reason, evidence, newest(evidence), newest_known(evidence), null, null);
-- No record, read as "no".
create or replace macro absent(reason) as outcome('pass', 'absence', null, reason, [], null, null, null, null);
-- No record, read as "no", where the item asks for a record.
create or replace macro absent_fail(reason, fail_kind) as
    outcome('fail', 'absence', null, reason, [], null, null, null, fail_kind);
-- The item does not apply to this patient.
create or replace macro not_applicable(reason, evidence) as
    outcome('pass', 'not_applicable', null, reason, evidence, newest(evidence), newest_known(evidence), null, null);
create or replace macro failed(reason, evidence, fail_kind) as
    outcome('fail', 'data', null, reason, evidence, newest(evidence), newest_known(evidence), null, fail_kind),
(reason, evidence, fail_kind, next_date) as
    outcome('fail', 'data', null, reason, evidence, newest(evidence), newest_known(evidence), next_date, fail_kind);
-- The record holds evidence that a clinician must judge.
create or replace macro to_review(reason_code, reason, evidence) as
    outcome('review', 'data', reason_code, reason, evidence, newest(evidence), newest_known(evidence), null, null);
-- The record does not tell.
create or replace macro undecided(reason_code, reason) as
    outcome('unknown', 'none', reason_code, reason, [], null, null, null, null),
(reason_code, reason, evidence) as outcome('unknown', 'none', reason_code, reason, evidence, null, null, null, null);

-- The same outcome, which no chart review changes.
create or replace macro final(o) as struct_update(o, is_final := true);
-- The same outcome with the date of the row that decides it given apart from its evidence.
create or replace macro dated(o, on_date) as struct_update(o, evidence_date := on_date::date);

-- Which cause is named where several parts give one: the first of this list.
create or replace macro cause_rank(reason_code) as list_position([
    'needs_attribution', 'conflicting_data', 'dose_below_standard',
    'dose_unknown', 'censored', 'unusable_data', 'unmapped_data', 'stale_data', 'missing_data', 'table_absent', 'judgement'
], reason_code);
create or replace macro first_cause(codes) as
    list_sort(list_transform(codes, lambda c: {'rank': cause_rank(c), 'code': c}))[1].code;

-- The outcome of several parts, all of which have the verdict that results.
create or replace macro settle(parts) as {
    'verdict': parts[1].verdict,
    'basis': case
        when parts[1].verdict = 'unknown' then 'none'
        when len(list_filter(parts, lambda p: p.basis = 'data')) > 0 then 'data'
        when len(list_filter(parts, lambda p: p.basis = 'chart')) > 0 then 'chart'
        when len(list_filter(parts, lambda p: p.basis = 'absence')) > 0 then 'absence'
        else 'not_applicable'
    end,
    'reason_code': first_cause(list_filter(list_transform(parts, lambda p: p.reason_code), lambda c: c is not null)),
    'reason': flatten(list_transform(parts, lambda p: p.reason)),
    'evidence': flatten(list_transform(parts, lambda p: p.evidence)),
    'evidence_date': list_max(list_transform(parts, lambda p: p.evidence_date)),
    'known_date': list_max(list_transform(parts, lambda p: p.known_date)),
    'next_date': case
        when len(list_filter(parts, lambda p: p.fail_kind is distinct from 'timed')) = 0
            then list_max(list_transform(parts, lambda p: p.next_date))
    end,
    'fail_kind': case
        when parts[1].verdict <> 'fail' then null
        when len(list_filter(parts, lambda p: p.fail_kind = 'lasting')) > 0 then 'lasting'
        when len(list_filter(parts, lambda p: p.fail_kind = 'changeable')) > 0 then 'changeable'
        else 'timed'
    end,
    'is_final': false
};
create or replace macro worst_of(verdicts) as case
    when list_contains(verdicts, 'fail') then 'fail'
    when list_contains(verdicts, 'review') then 'review'
    when list_contains(verdicts, 'unknown') then 'unknown'
    else 'pass'
end;
create or replace macro best_of(verdicts) as case
    when list_contains(verdicts, 'pass') then 'pass'
    when list_contains(verdicts, 'review') then 'review'
    when list_contains(verdicts, 'unknown') then 'unknown'
    else 'fail'
end;
create or replace macro verdicts_of(parts) as list_transform(parts, lambda p: p.verdict);
-- AND: fails if any part fails, else review, else unknown, else passes.
create or replace macro all_of(parts) as
    settle(list_filter(parts, lambda part: part.verdict = worst_of(verdicts_of(parts))));
-- OR: passes if any part passes, else review, else unknown, else fails.
create or replace macro any_of(parts) as
    settle(list_filter(parts, lambda part: part.verdict = best_of(verdicts_of(parts))));
