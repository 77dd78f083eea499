-- A plain number, thousands commas allowed ('25,000'); anything else is null.
create or replace macro plain_number(text) as
case
    when regexp_full_match(text, '(\d{1,3}(,\d{3})+|\d+)(\.\d+)?|\.\d+') then try_cast(replace(text, ',', '') as double)
end;

-- The two ends of '5-10' as a list; of a plain number twice the same; anything else is null.
create or replace macro dose_bounds(text) as
case
    when plain_number(text) is not null then [plain_number(text), plain_number(text)]
    when regexp_full_match(text, '[0-9.,]+\s*-\s*[0-9.,]+')
        then [plain_number(trim(split_part(text, '-', 1))), plain_number(trim(split_part(text, '-', 2)))]
end;

-- A reason why a row could not be used fully, with the coded word that was met; null where the condition does not hold.
create or replace macro reason(condition, why, word) as
case when condition then why || '=' || regexp_replace(coalesce(word, '(none)'), '[;=]', ' ', 'g') end;
