-- A reported number as the interval of values it allows: exact, or censored by <, <=, > or >=.
create or replace macro bounds(comparator, number) as {
    'low': case when comparator in ('<', '<=') then least(0, number) else number end::double,
    'high': case when comparator in ('>', '>=') then 'infinity'::double else number end::double,
    'is_low_open': comparator = '>',
    'is_high_open': comparator in ('<', '>')
};
-- true if every value of the interval passes, false if none does, null where that is open; both sides are rounded to 9 decimals.
create or replace macro at_least(b, threshold) as case
    when round(b.low, 9) >= round(threshold, 9) then true
    when round(b.high, 9) < round(threshold, 9) or (b.is_high_open and round(b.high, 9) <= round(threshold, 9)) then false
end;
create or replace macro greater(b, threshold) as case
    when round(b.low, 9) > round(threshold, 9) or (b.is_low_open and round(b.low, 9) >= round(threshold, 9)) then true
    when round(b.high, 9) <= round(threshold, 9) then false
end;
create or replace macro at_most(b, threshold) as not greater(b, threshold);
create or replace macro less(b, threshold) as not at_least(b, threshold);

-- A viral load and its limit as plain numbers: a unit that begins with log or lg holds the exponent of ten.
create or replace macro viral_number(number, is_log) as
    round(case when is_log then pow(10, case when number > 300 then 300 else number end) else number end, 9);
create or replace macro viral_limit(number, is_log) as
    case when is_log or number > 0 then viral_number(number, is_log) end;
