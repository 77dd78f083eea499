-- Windows count back from day D with both ends included; months and years are calendar ones, clipped to the month's end.
create or replace macro window_start(day, span) as (day - span)::date;
create or replace macro within(on_date, day, span) as on_date between (day - span)::date and day;
-- The last day of a window: day D, the day before it, or the day of collection.
create or replace macro window_end(anchor, patient) as case anchor
    when 'collection' then patient.collection_date
    when 'day before' then patient.as_of - 1
    else patient.as_of
end;
-- The first day on which an event of that date lies outside a window of that span.
create or replace macro leaves_window(on_date, span) as case
    when (((on_date + 1) + span)::date - span)::date >= on_date + 1 then ((on_date + 1) + span)::date
    else ((on_date + 1) + span)::date + 1
end;
-- A parameter of the pre-screening as a whole number of days, years or rows.
create or replace macro param(parameter) as (select value::integer from run.parameters where name = parameter);
