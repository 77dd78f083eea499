"""The SQL that reads one table of an extract: its cells, its typed columns, and what is wrong with each row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

import duckdb

from data_contracts import contract
from data_contracts.contract import FIRST_DAY, Column, Table
from transforms.errors import ContractBroken
from transforms.ingest.native import Part, TableFiles, column, paths_sql, quoted

SQL_TYPES = {
    "text": "varchar",
    "word": "varchar",
    "open word": "varchar",
    "date": "date",
    "time": "timestamp",
    "number": "double",
    "integer": "integer",
    "boolean": "boolean",
}
WHOLE = frozenset(["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT"])
BINARY = frozenset({"FLOAT", "DOUBLE"})
STAMPS = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})
ZONED = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True)
class Facts:
    """What the footers of Parquet files tell of a column; None where they do not."""

    nulls: int | None = None
    low: str | None = None
    high: str | None = None

    @property
    def has_no_blank(self) -> bool:
        """Whether all texts certainly begin with a visible sign."""
        return self.low is not None and self.low >= "!"

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last day of a date or timestamp column."""
        try:
            return date.fromisoformat((self.low or "")[:10]), date.fromisoformat((self.high or "")[:10])
        except ValueError:
            return None


FactsOf = Callable[[Sequence[Part]], Mapping[str, Facts]]


@dataclass(frozen=True)
class Cell:
    """How one column of the contract is read from one set of files, and what cannot be wrong with it there."""

    column: Column
    raw: str  # SQL of the cell as it came, over the files' columns; readable further on as r_NAME
    value: str  # SQL of the typed value, over r_NAME; null where the cell is empty, blank, or does not read
    has_null: bool = True
    has_blank: bool = False  # whether a text without a visible sign is possible
    has_bad: bool = True  # whether a cell that does not read is possible
    is_float: bool = False  # a natural number, wrong only where it is infinite or no number
    days: tuple[date, date] | None = None  # all dates lie here
    ends: tuple[str, ...] = ()  # the least and the greatest text

    @property
    def is_empty(self) -> str:
        """SQL that is true where the cell is null or blank."""
        kept = f"r_{self.column.name}"
        return f"gate.is_empty({kept})" if self.has_blank else f"{kept} is null"


@dataclass(frozen=True)
class Reason:
    """One way in which a row can break the contract; `condition` is SQL over the typed rows."""

    column: str
    cause: str
    condition: str

    @property
    def name(self) -> str:
        """The reason as violations name it."""
        return f"{self.column}:{self.cause}"


def footer_facts(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> dict[str, Facts]:
    """What the footers of Parquet files tell of each column, by its name in the files."""
    paths = paths_sql(part.file for part in parts)
    rows = con.execute(
        "select path_in_schema, case when count(stats_null_count) = count(*) then sum(stats_null_count)::bigint end, "
        "case when bool_and(is_known) then min(stats_min_value) end, case when bool_and(is_known) then max(stats_max_value) end "
        "from (select *, (stats_min_value is not null and stats_max_value is not null) "
        "or coalesce(stats_null_count = num_values, false) as is_known "
        f"from parquet_metadata({paths})) group by path_in_schema"
    ).fetchall()
    return {name: Facts(nulls, low, high) for name, nulls, low, high in rows}


def word_sql(source: str, words: Mapping[str, str], is_code_system: bool) -> str:
    """SQL of the contract's word for a cell; null where it has none.

    Functions alone, without case or in: on a dictionary-coded column DuckDB then reads each distinct word once.
    """
    pairs = ", ".join(f"{quoted(spelling)}: {quoted(word)}" for spelling, word in words.items())
    folded = f"lower(trim({source}, gate.blanks()))"
    if is_code_system:
        for sign in ("-", " ", "\t", "\u00a0", "\u3000"):
            folded = f"replace({folded}, {quoted(sign)}, '')"
    return f"map {{{pairs}}}[{folded}]"


def cell_of(col: Column, spelling: str, sql_type: str, facts: Facts) -> Cell:
    """How a column of the given Parquet type is read. Errors: ContractBroken where the type cannot hold the column."""
    raw, kept = column(spelling), f"r_{col.name}"
    if sql_type.startswith("ENUM"):
        raw, sql_type = f"cast({raw} as varchar)", "VARCHAR"
    if sql_type == '"NULL"':
        return absent_cell(col)
    if sql_type == "VARCHAR":
        return text_cell(col, raw, has_blank=not facts.has_no_blank, facts=facts)
    is_whole = sql_type in WHOLE
    is_number = is_whole or sql_type in BINARY or sql_type.startswith("DECIMAL")
    has_null = facts.nulls != 0
    match col.type:
        case "text" | "word" | "open word" | "boolean" | "date" | "time" if is_whole:
            return replace(text_cell(col, f"cast({raw} as varchar)", False, Facts()), has_null=has_null)
        case "text" if is_number and col.name == "value":
            return Cell(col, f"gate.as_text({raw})", kept, has_null, has_bad=False)
        case "boolean" if sql_type == "BOOLEAN":
            return Cell(col, raw, kept, has_null, has_bad=False)
        case "date" | "time" if sql_type == "DATE" or sql_type in STAMPS or sql_type == ZONED:
            local = f"({raw} at time zone 'UTC')" if sql_type == ZONED else raw
            target = SQL_TYPES[col.type]
            if facts.days:
                return Cell(col, local, f"cast({kept} as {target})", has_null, has_bad=False, days=facts.days)
            return Cell(col, local, f"try_cast(gate.sane_day({kept}) as {target})", has_null)
        case "number" if is_number:
            if sql_type == "FLOAT":  # by its shortest text: 4.1 is not 4.099999904632568
                return Cell(col, raw, f"gate.finite(cast(cast({kept} as varchar) as double))", has_null, is_float=True)
            if sql_type == "DOUBLE":
                return Cell(col, raw, f"gate.finite({kept})", has_null, is_float=True)
            return Cell(col, raw, f"cast({kept} as double)", has_null, has_bad=False)
        case "integer" if is_number:
            return Cell(col, raw, f"gate.as_integer({kept})", has_null)
    allowed = {
        "text": "text or whole numbers",
        "word": "text",
        "open word": "text",
        "boolean": "boolean or text",
        "date": "date, timestamp or text",
        "time": "date, timestamp or text",
    }.get(col.type, "numbers or text")
    raise ContractBroken(f"{col.table}.{col.name}: the column's type is {sql_type}; allowed: {allowed}")


def text_cell(col: Column, raw: str, has_blank: bool, facts: Facts) -> Cell:
    """How a column of text is read; where all cells are one and the same allowed word, none can be wrong."""
    kept = f"r_{col.name}"
    is_one_word = facts.low is not None and facts.low == facts.high and facts.low in col.words.values()
    value = {
        "text": f"gate.cell({kept})" if has_blank else kept,
        "word": word_sql(kept, col.words, col.name == "code_system"),
        "open word": word_sql(kept, col.words, False),
        "boolean": f"cast({word_sql(kept, col.words, False)} as boolean)",
        "integer": f"gate.as_integer(gate.as_number({kept}))",
    }.get(col.type, f"gate.as_{col.type}({kept})")
    has_bad = col.bad is not None and not is_one_word
    ends = tuple(end for end in (facts.low, facts.high) if end is not None)
    return Cell(col, raw, value, facts.nulls != 0 or has_blank, has_blank, has_bad, ends=ends)


def absent_cell(col: Column) -> Cell:
    """A column that is not there reads as null."""
    null = f"cast(null as {SQL_TYPES[col.type]})"
    return Cell(col, null, null, has_bad=False)


def partition_cell(col: Column, value: str | None) -> Cell:
    """A column whose value stands in the path."""
    return text_cell(col, "cast(null as varchar)" if value is None else quoted(value), True, Facts())


def cells_of(table: Table, part: Part, facts: Mapping[str, Facts]) -> list[Cell]:
    """How each column of the contract is read from a part. Errors: ContractBroken where a required column is missing."""
    cells = []
    for col in table.columns:
        spelling = part.columns.get(col.name)
        if spelling is not None:
            cells.append(cell_of(col, spelling, part.types[col.name], facts.get(spelling, Facts())))
        elif col.name in part.partition:
            cells.append(partition_cell(col, part.partition[col.name]))
        elif col.is_nullable:
            cells.append(absent_cell(col))
        else:
            raise ContractBroken(
                f"{table.name}: the column {col.name} is missing in {part.name}; required are "
                + ", ".join(each.name for each in table.columns if not each.is_nullable)
            )
    return cells


def signature(part: Part) -> tuple[object, ...]:
    """What parts must share to be read by one scan."""
    return tuple(part.columns.items()), tuple(part.types.items()), tuple(part.partition.items())


PATIENT = {"known_id": "varchar", "last_day": "date", "is_rejected": "boolean", "is_wanted": "boolean"}  # of gate.patient_days


def typed_sql(cells: Sequence[Cell], parts: Sequence[Part], places: bool = False, joined: bool = False) -> str:
    """The rows of parts of one signature: every column typed under its name and as it came as r_NAME, and row_hash.

    With `places` also file_name and row_number, from 1, of each row; with `joined` what gate.patient_days tells of its patient.
    """
    paths = paths_sql(part.file for part in parts)
    raws = ", ".join(f"{cell.raw} as r_{cell.column.name}" for cell in cells)
    kept = ", ".join(f"r_{cell.column.name}" for cell in cells)
    values = ", ".join(f"{cell.value} as {column(cell.column.name)}" for cell in cells)
    outer = ", file_name, row_number" if places else ""
    inner = ", filename as file_name, file_row_number + 1 as row_number" if places else ""
    flags = ", filename = true, file_row_number = true" if places else ""
    patient = "".join(f", {name}" for name in PATIENT) if joined else ""
    patient_id = next((cell.value for cell in cells if cell.column.name == "patient_id"), "null")
    join = f" left join gate.patient_days on known_id = {patient_id}" if joined else ""
    return (
        f"select {values}, {kept}, hash({kept}) as row_hash{outer}{patient} from (select {raws}{inner} "
        f"from read_parquet({paths}, binary_as_string = true, hive_partitioning = false{flags})){join}"
    )


def empty_sql(table: Table, joined: bool = False) -> str:
    """No rows, with the columns of `typed_sql`."""
    values = ", ".join(f"cast(null as {SQL_TYPES[col.type]}) as {column(col.name)}" for col in table.columns)
    kept = ", ".join(f"cast(null as varchar) as r_{col.name}" for col in table.columns)
    patient = "".join(f", cast(null as {kind}) as {name}" for name, kind in PATIENT.items()) if joined else ""
    return f"select {values}, {kept}, cast(null as ubigint) as row_hash{patient} where false"


def same_parts(files: TableFiles) -> list[list[Part]]:
    """The parts of a table in groups that one scan can read."""
    parts = sorted(files.parts, key=lambda part: repr(signature(part)))
    return [list(group) for _, group in groupby(parts, key=signature)]


def union_sql(
    table: Table, files: TableFiles | None, facts_of: FactsOf, places: bool = False, joined: bool = False
) -> tuple[str, list[Cell]]:
    """The typed rows of all parts of a table, and for each column what can be wrong in some part."""
    if files is None:
        return empty_sql(table, joined), []
    selects = []
    merged: dict[str, Cell] = {}
    for parts in same_parts(files):
        cells = cells_of(table, parts[0], facts_of(parts))
        selects.append(typed_sql(cells, parts, places, joined))
        for cell in cells:
            before = merged.get(cell.column.name, cell)
            days = (min(a[0], b[0]), max(a[1], b[1])) if (a := before.days) and (b := cell.days) else None
            merged[cell.column.name] = replace(
                cell,
                has_null=cell.has_null or before.has_null,
                has_blank=cell.has_blank or before.has_blank,
                has_bad=cell.has_bad or before.has_bad,
                is_float=cell.is_float and before.is_float,
                days=days,
                ends=cell.ends + before.ends,
            )
    return " union all ".join(selects), list(merged.values())


def reasons_of(table: Table, cells: Sequence[Cell], last_day: str, least_last_day: date | None) -> list[Reason]:
    """All ways in which a row of the table can break the contract by itself, in the order of columns.csv.

    `last_day` is SQL of the last day that a date of the row may have, `least_last_day` the least that any row has.
    """
    reasons = []
    for cell in cells:
        col = cell.column
        name = column(col.name)
        if not col.is_nullable and cell.has_null:
            reasons.append(Reason(col.name, "null", cell.is_empty))
        if cell.has_bad and col.bad and cell.is_float:
            reasons.append(Reason(col.name, col.bad, f"not isfinite(r_{col.name})"))
        elif cell.has_bad and col.bad:
            reasons.append(Reason(col.name, col.bad, f"{name} is null and not ({cell.is_empty})"))
        if col.is_dated and not is_within(cell, least_last_day):
            reasons.append(Reason(col.name, "date_out_of_range", range_sql(col, last_day)))
        if col.is_positive:
            reasons.append(Reason(col.name, "not_positive", f"{name} <= 0"))
        reasons += [Reason(col.name, each.cause, each.broken_when) for each in table.cross_checks if each.column == col.name]
    return reasons


def is_within(cell: Cell, least_last_day: date | None) -> bool:
    """Whether the footers prove that all dates of a column lie inside the contract's limits."""
    if cell.days is None or cell.days[0] < date.fromisoformat(FIRST_DAY):
        return False
    return not cell.column.is_dated_up_to_limit or (least_last_day is not None and cell.days[1] <= least_last_day)


def range_sql(col: Column, last_day: str) -> str:
    """SQL that is true where a date lies outside the limits of the contract."""
    name = column(col.name)
    if col.type == "integer":
        return f"({name} < {date.fromisoformat(FIRST_DAY).year} or {name} > year({last_day}))"
    if not col.is_dated_up_to_limit:
        return f"{name} < date '{FIRST_DAY}'"
    after = f"{name} > {last_day}" if col.type == "date" else f"{name} >= {last_day} + 1"
    return f"({name} < date '{FIRST_DAY}' or {after})"


def broken_sql(reasons: Sequence[Reason]) -> str:
    """SQL that is true for a row that breaks the contract in any of the ways."""
    return " or ".join(f"({reason.condition})" for reason in reasons) or "false"


def violations_sql(reasons: Sequence[Reason]) -> str:
    """SQL of the list of a row's violations, in the order of `reasons`."""
    if not reasons:
        return "[]::varchar[]"
    cases = ", ".join(f"case when {reason.condition} then {quoted(reason.name)} end" for reason in reasons)
    broken = f"list_filter([{cases}]::varchar[], lambda violation: violation is not null)"
    return f"case when {broken_sql(reasons)} then {broken} else []::varchar[] end"  # most rows have none, and lists are dear


def first_violation_sql(reasons: Sequence[Reason]) -> str:
    """SQL of the number, from 1, of a row's first violation; 0 where it has none."""
    cases = " ".join(f"when {reason.condition} then {number}" for number, reason in enumerate(reasons, 1))
    return f"cast(case {cases} else 0 end as utinyint)" if cases else "cast(0 as utinyint)"


def with_items(table: Table, items: Mapping[str, str] | None) -> Table:
    """The table with other item ids (folded -> id) than those of review_items.csv."""
    if items is None:
        return table
    columns = tuple(replace(col, words=items) if col.word_list == "review_items" else col for col in table.columns)
    return replace(table, columns=columns)


def items_of(known_items: Sequence[str] | None) -> dict[str, str] | None:
    """Item ids as a column's words."""
    return None if known_items is None else {contract.fold(item): item for item in known_items}
