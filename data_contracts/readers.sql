-- title:   How the cells of an extract are read
-- reading: Text becomes the contract's dates, times and numbers; what does not read is null. The common shapes of a date
--          are cast at once; only texts of another shape are taken apart by pattern, which costs ten times more.
-- caveats: A cast alone is not enough: it knows infinity, epoch, years before Christ, offsets, 24:00 and 1_000.

-- what is taken off around a word (contract.BLANKS); a cell of nothing but ASCII blanks is empty
create or replace macro gate.blanks() as
    ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(160) || chr(12288);

create or replace macro gate.is_empty(x) as
    x is null or (x < '!' and trim(x, gate.blanks()) = '');

-- the text, or null where it is empty or blank
create or replace macro gate.cell(x) as
    case when x < '!' and trim(x, gate.blanks()) = '' then null else x end;

-- the two texts of a date and of the time behind it; both empty where the text is neither
create or replace macro gate.date_parts(x) as
    regexp_extract(
        trim(x, gate.blanks()),
        '^(\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{8}|\d{4}年\d{1,2}月\d{1,2}日)'
        || '(?:(?:[Tt]|[ 　]+|\b)((?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?)'
        || '[ 　]*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?)?$',
        ['day', 'clock']
    );

create or replace macro gate.day_of_parts(parts) as
    try_cast(regexp_replace(parts.day, '^(\d{4})[-/年]?(\d{1,2})[-/月]?(\d{1,2})日?$', '\1-\2-\3') as date);

create or replace macro gate.clock_of_parts(parts) as
    coalesce(try_cast(nullif(left(replace(parts.clock, ',', '.'), 15), '') as time), time '00:00:00');

create or replace macro gate.has_day_shape(x) as
    x >= '0' and x < ':' and x like '____-__-__';

create or replace macro gate.has_second_shape(x) as
    x >= '0' and x < ':' and x like '____-__-_____:__:__' and not x like '___________24%';

create or replace macro gate.as_date(x) as
    case
        when gate.has_day_shape(x) then try_cast(x as date)
        when gate.has_second_shape(x) then try_cast(try_cast(x as timestamp) as date)
        else gate.day_of_parts(gate.date_parts(x))
    end;

create or replace macro gate.as_time(x) as
    case
        when gate.has_second_shape(x) then try_cast(x as timestamp)
        when gate.has_day_shape(x) then try_cast(try_cast(x as date) as timestamp)
        else gate.day_of_parts(gate.date_parts(x)) + gate.clock_of_parts(gate.date_parts(x))
    end;

create or replace macro gate.finite(x) as
    case when isfinite(x) then x end;

create or replace macro gate.as_number(x) as
    case when not contains(x, '_') then gate.finite(try_cast(x as double)) end;

create or replace macro gate.as_integer(x) as
    case when trunc(x) = x then try_cast(x as integer) end;

-- the text of a number as a person writes it: 8 and not 8.0
create or replace macro gate.as_text(x) as
    case when trunc(x) = x and abs(x) < 1e15 then cast(cast(x as bigint) as varchar) else cast(x as varchar) end;

-- a date or time of the years 1 to 9999; infinity and what lies beyond are no dates
create or replace macro gate.sane_day(x) as
    case when x >= date '0001-01-01' and x < date '9999-12-31' + 1 then x end;
