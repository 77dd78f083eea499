-- Whether a column of a row is among those that the contract refused.
create or replace macro violated(violations, column_name) as
    len(list_filter(violations, lambda v: starts_with(v, column_name || ':'))) > 0;
