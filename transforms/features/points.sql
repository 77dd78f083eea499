-- How many points a met classification has.
create or replace macro points_to_be_met() as 10;
