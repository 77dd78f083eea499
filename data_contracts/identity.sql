-- title:   Direct identity in the cells of an extract
-- reading: A resident-id number is 18 characters that are no part of a longer run of digits: 17 digits and a digit or X, a
--          real date from 1900 to 2099 in the digits 7 to 14, and the check digit of GB 11643 (mod 11-2). A mobile number is
--          1, then 3 to 9, then nine digits, between non-digits.
-- caveats: One in about 15,000 random 18-digit numbers looks like a resident-id number. In ids letters and digits that touch
--          the number speak against it, or one in ten million hexadecimal digests would be taken for one.
-- sources: GB 11643-1999

create or replace macro gate.is_resident_id(x) as
    try_cast(x[7:10] || '-' || x[11:12] || '-' || x[13:14] as date)
    between date '1900-01-01' and date '2099-12-31'
    and '10X98765432'[
        1 + cast(list_sum(
            list_transform(
                [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2],
                lambda weight, place: weight * (ascii(x[place]) - 48)
            )
        ) % 11 as integer)
    ] = upper(x[18]);

-- the case spares all other rows the work: and evaluates both its sides; of a run of 19 the X can belong to what follows
create or replace macro gate.has_resident_id(x) as
    case
        when strlen(x) >= 18 and regexp_matches(x, '(?:^|\D)\d{17}[\dXx](?:\D|$)') then
            len(
                list_filter(
                    regexp_extract_all(x, '\d+[Xx]?'),
                    lambda run:
                        (strlen(run) = 18 or (strlen(run) = 19 and lower(run[19]) = 'x'))
                        and gate.is_resident_id(run[1:18])
                )
            ) > 0
        else false
    end;

-- in an id: the whole of it, or set off from other digits and letters by a sign; letters in front (P1101…) are no other id
create or replace macro gate.has_resident_id_as_id(x) as
    case
        when strlen(x) >= 18 then
            coalesce(
                gate.is_resident_id(
                    nullif(
                        regexp_extract(
                            x, '(?:^|[^0-9A-Za-z])[A-Za-z]*(\d{17}[\dXx])(?:[^0-9A-Za-z]|$)', 1
                        ),
                        ''
                    )
                ),
                false
            )
        else false
    end;

create or replace macro gate.has_mobile(x) as
    regexp_matches(x, '(?:^|\D)1[3-9]\d{9}(?:\D|$)');

create or replace macro gate.has_email(x) as
    regexp_matches(x, '[A-Za-z0-9._%+-]@[A-Za-z0-9-]+\.[A-Za-z0-9-]*[A-Za-z]');

-- whether a text has what each kind of identity needs: eleven digits in a row, or an at sign
-- functions that DuckDB evaluates once per distinct word of a dictionary-coded column
create or replace macro gate.may_hold_identity(x) as
    contains(
        replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(x,
            '@', '99999999999'), '0', '9'), '1', '9'), '2', '9'), '3', '9'), '4', '9'), '5', '9'), '6', '9'), '7', '9'), '8', '9'),
        '99999999999'
    );
