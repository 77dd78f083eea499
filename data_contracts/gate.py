"""Judges an extract against the contract and opens it: the schema raw, run.tables, and the quarantine.

One pass over each table finds the rows that break the contract and copies, into pulled.<table>, those of the patients who are
wanted; nothing else is copied. raw.<table> is a view over the extract's files with typed columns and `violations` (a list of
column:cause, empty for a good row); gate.typed_<table> holds beside them the cells as they came, as r_<column>.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from data_contracts import contract, identity
from data_contracts.contract import Column, Table
from data_contracts.readers import prepare
from data_contracts.reading import (
    Cell,
    Reason,
    broken_sql,
    first_violation_sql,
    footer_facts,
    items_of,
    reasons_of,
    union_sql,
    violations_sql,
    with_items,
)
from transforms.errors import ContractBroken, UsageError
from transforms.ingest.native import Extract, Part, TableFiles, column, in_order, paths_sql, shown

LISTED = 1000  # quarantined rows of patients who are not assessed: at most so many are listed per table, column and cause
UNKNOWN, REJECTED = (
    Reason("patient_id", cause, condition)
    for cause, condition in zip(contract.PATIENT_CAUSES, ("known_id is null", "is_rejected"), strict=True)
)

Choose = Callable[[duckdb.DuckDBPyConnection], None]  # fills gate.wanted (patient_id) from what raw.* tells before it is counted


@dataclass
class TableReport:
    """What the contract found in one table."""

    table: str
    is_present: bool
    rows_read: int = 0
    rejected: dict[tuple[str, str], int] = field(default_factory=dict)  # (column, cause) -> rows, each under its first
    duplicates: int = 0  # byte-identical rows left out
    is_judged: bool = True  # False where the table could not even be counted

    @property
    def rows_rejected(self) -> int:
        """Quarantined rows."""
        return sum(self.rejected.values())

    @property
    def rows_counted(self) -> int:
        """Quarantined rows that count against the table: not those lost only because their patient was."""
        return self.rows_rejected - self.rejected.get((REJECTED.column, REJECTED.cause), 0)


@dataclass
class ContractReport:
    """What the contract found in an extract; `as_of` is the run's day D, None where every patient has a day of their own."""

    as_of: date | None
    max_rejected_share: float
    min_rejected_rows: int
    tables: dict[str, TableReport] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)  # why the extract is refused, a sentence each
    notes: list[str] = field(default_factory=list)  # what an engineer may want to know
    results: list[dict[str, Any]] = field(default_factory=list)  # what Great Expectations judged (suites.py)

    def as_dict(self) -> dict[str, Any]:
        """The report as run.json holds it."""
        return {
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "tables": {
                each.table: {
                    "is_present": each.is_present,
                    "rows_read": each.rows_read,
                    "rows_rejected": each.rows_rejected,
                    "duplicates": each.duplicates,
                    "rejected": [{"column": name, "cause": cause, "rows": rows} for (name, cause), rows in each.rejected.items()],
                }
                for each in self.tables.values()
            },
            "failures": self.failures,
            "notes": self.notes,
            "expectations": self.results,
        }


@dataclass(frozen=True)
class Days:
    """The days D of the patients: the run's own, and what holds for all of them."""

    run: date | None
    least_last: date | None  # least D + 1 year
    is_one: bool  # every patient has the same
    has_identity: bool  # a patient_id is a resident-id number


def check(
    con: duckdb.DuckDBPyConnection,
    extract: Extract,
    *,
    as_of: date | None,
    max_rejected_share: float,
    min_rejected_rows: int,
    known_items: Collection[str] | None = None,
    choose: Choose | None = None,
) -> ContractReport:
    """The contract's report on an extract that keeps it; makes raw.<table> and run.tables in `con`.

    `known_items` are the item ids that chart reviews may name; without it those of review_items.csv. Where `choose` is given,
    pulled.<table> holds the rows, quarantined ones included, of the patients whom it wants.
    Errors: ContractBroken where the extract is refused, UsageError where no day D is known.
    """
    report = examine(
        con,
        extract,
        as_of=as_of,
        max_rejected_share=max_rejected_share,
        min_rejected_rows=min_rejected_rows,
        known_items=known_items,
        choose=choose,
    )
    if report.failures:
        more = f" (and {len(report.failures) - 1} more; zm001 validate lists them)" if len(report.failures) > 1 else ""
        raise ContractBroken(report.failures[0] + more)
    return report


def examine(
    con: duckdb.DuckDBPyConnection,
    extract: Extract,
    *,
    as_of: date | None,
    max_rejected_share: float,
    min_rejected_rows: int,
    known_items: Collection[str] | None = None,
    choose: Choose | None = None,
) -> ContractReport:
    """As `check`, but what is wrong with the extract is gathered in the report's `failures`, not raised."""
    prepare(con)
    con.execute("create schema if not exists raw; create schema if not exists run; create schema if not exists pulled")
    con.execute(
        "create or replace table gate.reasons (table_name varchar, number int, column_name varchar, cause varchar); "
        "create or replace table gate.quarantined (table_name varchar, number int, row_id varchar, patient_id varchar)"
    )
    report = ContractReport(None, max_rejected_share, min_rejected_rows, notes=list(extract.notes))
    items = items_of(None if known_items is None else sorted(known_items))
    patients, *others = (with_items(table, items) for table in contract.load().values())
    for table in (patients, *others):
        report.tables[table.name] = TableReport(table.name, table.name in extract.tables)
        report.failures += identity_names(table, extract)
    with gathering(report, patients):
        days = open_patients(con, extract, patients, as_of, report)
        report.as_of = days.run
    report.failures += judge(con, patients, report)
    if not report.tables[patients.name].is_judged:
        return report
    opened = []
    for table in others:
        with gathering(report, table):
            opened.append((table, *open_table(con, extract, table, days)))
    is_chosen = choose is not None and not report.failures
    if choose and is_chosen:
        with blaming(con, extract, list(extract.tables)):
            choose(con)
        con.execute("update gate.patient_days set is_wanted = true where known_id in (select patient_id from gate.wanted)")
    for table, cells, reasons in opened:
        if table.name in extract.tables:
            with gathering(report, table), blaming(con, extract, [table.name]):
                count(con, extract, table, cells, reasons, report, is_wanted=is_chosen, is_identity_known=days.has_identity)
        elif is_chosen:
            con.execute(f"create or replace table pulled.{table.name} as from raw.{table.name}")
        report.failures += judge(con, table, report)
    con.execute("create or replace table run.tables (table_name varchar, is_present boolean, rows bigint)")
    con.executemany(
        "insert into run.tables values (?, ?, ?)",
        [[each.table, each.is_present, each.rows_read] for each in report.tables.values()],
    )
    return report


@contextmanager
def gathering(report: ContractReport, table: Table) -> Iterator[None]:
    """Keeps why a table cannot be read as a failure of the report."""
    try:
        yield
    except ContractBroken as broken:
        report.failures.append(str(broken))
        report.tables[table.name].is_judged = False


# --- opening tables -------------------------------------------------------------------------------------------------


def make_typed(con: duckdb.DuckDBPyConnection, extract: Extract, table: Table) -> list[Cell]:
    """Makes the view gate.typed_<table>; returns how its columns are read."""
    files = extract.tables.get(table.name)
    sql, cells = union_sql(table, files, lambda parts: footer_facts(con, parts))
    con.execute(f"create or replace view gate.typed_{table.name} as {sql}")
    return cells


def open_patients(con: duckdb.DuckDBPyConnection, extract: Extract, table: Table, as_of: date | None, report: ContractReport) -> Days:
    """Makes raw.patients and gate.patient_days (one row per patient: D + 1 year, quarantined, wanted); counts the table."""
    cells = make_typed(con, extract, table)
    with blaming(con, extract, [table.name]):
        leave_one_patient(con, extract, table, report)
        run_day = day_of(con, extract, as_of, next(cell for cell in cells if cell.column.name == "index_date"))
        day = "index_date" if run_day is None else f"coalesce(index_date, date '{run_day.isoformat()}')"
        judged_by = f"case when index_date < date '{contract.FIRST_DAY}' then null else {day} end"
        reasons = reasons_of(table, cells, f"cast({judged_by} + interval 1 year as date)", None)
        values = ", ".join(column(each.name) for each in table.columns)
        con.execute(
            f"create or replace view raw.patients as select {values}, {day} as as_of, {violations_sql(reasons)} as violations "
            "from gate.typed_patients"
        )
        has_identity = count(con, extract, table, cells, reasons, report)
        con.execute(
            "create or replace table gate.patient_days as select patient_id as known_id, "
            f"cast({day} + interval 1 year as date) as last_day, "
            "patient_id in (select row_id from gate.quarantined where table_name = 'patients') as is_rejected, "
            "false as is_wanted from gate.typed_patients where patient_id is not null"
        )
        least, most = con.execute("select min(last_day), max(last_day) from gate.patient_days where not is_rejected").fetchall()[0]
    return Days(run_day, least, least is not None and least == most, has_identity)


def leave_one_patient(con: duckdb.DuckDBPyConnection, extract: Extract, table: Table, report: ContractReport) -> None:
    """Leaves one of byte-identical rows in gate.typed_patients; a patient_id twice with different contents is a failure."""
    con.execute(
        "create or replace table gate.twice as select patient_id, count(*) as copies, count(distinct row_hash) as contents "
        "from gate.typed_patients where patient_id is not null group by patient_id having count(*) > 1"
    )
    copies = con.execute("select coalesce(sum(copies - contents), 0)::bigint from gate.twice").fetchall()[0][0]
    report.tables["patients"].duplicates = copies
    report.failures += [
        f"patients: patient_id {shown(key)} is there {contents} times with different contents; allowed is once"
        for key, contents in con.execute(
            "select patient_id, contents from gate.twice where contents > 1 order by patient_id limit 1"
        ).fetchall()
    ]
    if copies:
        sql = union_sql(table, extract.tables["patients"], lambda parts: footer_facts(con, parts))[0]
        con.execute(
            f"create or replace view gate.typed_patients as from ({sql}) anti join gate.twice using (patient_id) union all "
            f"from ({sql}) semi join gate.twice using (patient_id) "
            "qualify row_number() over (partition by patient_id, row_hash) = 1"
        )


def open_table(con: duckdb.DuckDBPyConnection, extract: Extract, table: Table, days: Days) -> tuple[list[Cell], list[Reason]]:
    """Makes raw.<table>, and gate.met_<table> (its typed rows with what is known of their patients); returns how it is read.

    raw.<table> tells the violations of the row itself. Rows of unknown and of quarantined patients, which nobody reads from
    there, are counted and listed but not told apart in it: that would cost every reader a join.
    """
    cells = make_typed(con, extract, table)
    sql = union_sql(table, extract.tables.get(table.name), lambda parts: footer_facts(con, parts), joined=True)[0]
    con.execute(f"create or replace view gate.met_{table.name} as {sql}")
    own = reasons_of(table, cells, f"date '{days.least_last}'" if days.is_one else "last_day", days.least_last)
    source = "met" if any("last_day" in reason.condition for reason in own) else "typed"
    con.execute(
        f"create or replace view raw.{table.name} as select {raw_columns(table)}, {violations_sql(own)} as violations, row_hash "
        f"from gate.{source}_{table.name}"
    )
    return cells, own


def raw_columns(table: Table) -> str:
    """SQL of the columns of raw.<table> out of its typed rows."""
    extra = ", case when route is null then gate.cell(r_route) end as route_text" if table.name == "medications" else ""
    return ", ".join(column(each.name) for each in table.columns) + extra


def count(
    con: duckdb.DuckDBPyConnection,
    extract: Extract,
    table: Table,
    cells: Sequence[Cell],
    own: Sequence[Reason],
    report: ContractReport,
    is_wanted: bool = False,
    is_identity_known: bool = False,
) -> bool:
    """Counts the rows of a table under their first violation, gathers the broken ones in gate.quarantined, pulls those wanted.

    One pass, which also looks for direct identity. A patient_id is searched in patients; elsewhere only where it is found there
    (`is_identity_known`), or is not known there. Returns whether an id is identity.
    """
    foreign = [col for col in table.columns if col.name == "patient_id" and col.name != table.key]
    searched = [col for col in identity.searched(table) if col not in foreign]
    reasons = [*own, UNKNOWN, REJECTED] if foreign else list(own)
    kept = f"pulled.{table.name}" if is_wanted else "gate.kept"
    gather(con, kept, table, own, reasons, searched, is_wanted)
    found = report.tables[table.name]
    found.rows_read = extract.tables[table.name].rows
    counts = con.execute(f"select number, count(*) from {kept} where number > 0 group by number order by number").fetchall()
    found.rejected = {(reasons[number - 1].column, reasons[number - 1].cause): rows for number, rows in counts}
    if found.rejected:
        con.executemany(
            "insert into gate.reasons values (?, ?, ?, ?)",
            [[table.name, number, reason.column, reason.cause] for number, reason in enumerate(reasons, 1)],
        )
        con.execute(f"insert into gate.quarantined select '{table.name}', number, {table.key}, patient_id from {kept} where number > 0")
    suspects = [col for col in searched if may_be_identity(con, kept, col)]
    ends = [end for cell in cells if cell.column.name == table.key for end in cell.ends]
    if table.columns[0] not in suspects and holds_resident_id(con, "unnest($texts)", {"texts": ends}):
        suspects.insert(0, table.columns[0])
    if foreign and (
        is_identity_known
        or holds_resident_id(con, "(select patient_id from gate.quarantined where table_name = $name)", {"name": table.name})
    ):
        suspects += foreign
    failures = [failure for col in suspects for failure in identity_cells(con, extract, table, col)]
    report.failures += failures
    if is_wanted:
        con.execute(f"delete from {kept} where not is_wanted")
        for name in ("number", "is_wanted", *(f"r_{col.name}" for col in searched)):
            con.execute(f"alter table {kept} drop column {name}")
    return any(identity.is_id(col) for col in suspects) and bool(failures)


def holds_resident_id(con: duckdb.DuckDBPyConnection, texts: str, values: dict[str, Any]) -> bool:
    """Whether one of the ids of a SQL source of texts is a resident-id number."""
    return bool(con.execute(f"select bool_or(gate.has_resident_id_as_id(text)) from {texts} as t(text)", values).fetchall()[0][0])


def may_be_identity(con: duckdb.DuckDBPyConnection, kept: str, col: Column) -> bool:
    """Whether a cell of a searched column of the table ``kept`` may hold identity; its words are fewer than its rows."""
    words = kept if identity.is_id(col) else f"(select distinct r_{col.name} from {kept})"
    hint = identity.hint(col, f"r_{col.name}")
    return con.execute(f"select 1 from {words} where {hint} limit 1").fetchall() != []


def gather(
    con: duckdb.DuckDBPyConnection,
    kept: str,
    table: Table,
    own: Sequence[Reason],
    reasons: Sequence[Reason],
    searched: Sequence[Column],
    is_wanted: bool,
) -> None:
    """Makes the table ``kept``: the rows that are broken, may hold identity, or are wanted (only where ``is_wanted``).

    number: of the first violation, 0 where there is none; r_NAME: the searched cells as they came. What most rows do not
    have is worked out for the few that do.
    """
    wanted = "is_wanted" if is_wanted else "false"
    cells = "".join(f", r_{col.name}" for col in searched)
    hints = " or ".join(identity.hint(col, f"r_{col.name}") for col in searched) or "false"
    con.execute(
        f"create or replace table {kept} as select {raw_columns(table)}, "
        f"case when number between 1 and {len(own)} then {violations_sql(own)} else []::varchar[] end as violations, "
        f"row_hash, number, {wanted} as is_wanted{cells} from ("
        f"select *, {first_violation_sql(reasons)} as number from gate.{'met' if len(own) < len(reasons) else 'typed'}_{table.name} "
        f"where {wanted} or {broken_sql(reasons)} or {hints})"
    )


def day_of(con: duckdb.DuckDBPyConnection, extract: Extract, as_of: date | None, index_date: Cell) -> date | None:
    """The run's day D: as given, else extract.json's; None where every patient has an index_date of their own.

    Errors: UsageError where there is none of them.
    """
    if as_of is not None:
        return as_of
    if extract.manifest.get("as_of"):
        return date.fromisoformat(extract.manifest["as_of"])
    lacking = con.execute(f"select count(*) from gate.typed_patients where {index_date.is_empty}").fetchall()[0][0]
    if lacking:
        raise UsageError(f"no day D: {lacking} rows of patients have no index_date; give --as-of DATE, or as_of in extract.json")
    return None


# --- refusals -------------------------------------------------------------------------------------------------------


def judge(con: duckdb.DuckDBPyConnection, table: Table, report: ContractReport) -> list[str]:
    """Why the quarantined rows of a table refuse the extract; nothing where they do not."""
    found = report.tables[table.name]
    failures = []
    if keyless := found.rejected.get((table.key, "null")):
        failures.append(f"{table.name}: {table.key} is empty in {keyless} rows; allowed is a unique id in every row")
    if not found.rejected:
        return failures
    (name, cause), most = max(found.rejected.items(), key=lambda item: item[1])
    if found.rows_counted:
        counted = {key: rows for key, rows in found.rejected.items() if key != (REJECTED.column, REJECTED.cause)}
        (name, cause), most = max(counted.items(), key=lambda item: item[1])
    share = found.rows_counted / found.rows_read
    is_over = share > report.max_rejected_share and found.rows_counted >= report.min_rejected_rows
    is_all = found.rows_rejected == found.rows_read
    if is_over or is_all:
        first = con.execute(
            "select min(row_id) from gate.quarantined natural join gate.reasons where table_name = ? and column_name = ? and cause = ?",
            [table.name, name, cause],
        ).fetchall()[0][0]
        example = f"most of them {name}:{cause} ({most} rows, first {table.key} {shown(first or '')})"
        if is_over:
            failures.append(
                f"{table.name}: {found.rows_counted} of {found.rows_read} rows are quarantined, {example}; allowed are "
                f"{report.max_rejected_share:.3g} of the rows, or fewer than {report.min_rejected_rows}"
            )
        else:
            failures.append(f"{table.name}: all {found.rows_read} rows are quarantined, {example}; allowed is at least one good row")
    return failures


def identity_names(table: Table, extract: Extract) -> list[str]:
    """Columns of a table that the contract does not know and whose names speak of direct identity."""
    files = extract.tables.get(table.name)
    names = sorted({name for part in files.parts for name in part.others}) if files else []
    return [
        f"{table.name}: the column {shown(name.strip())} looks like direct identity ({meaning}); it must not be in an extract"
        for name in names
        if (meaning := identity.identity_in_name(name))
    ]


def identity_cells(con: duckdb.DuckDBPyConnection, extract: Extract, table: Table, col: Column) -> list[str]:
    """The first row whose cell in a column holds direct identity, a failure per kind of it; nothing where none does."""
    kinds = ", ".join(f"bool_or({identity.search(col, kind, f'r_{col.name}')})" for kind in col.identity)
    found = con.execute(f"select {kinds} from gate.typed_{table.name}").fetchall()[0]
    failures = []
    for kind, is_found in zip(col.identity, found, strict=True):
        if is_found:
            where = place_of(con, extract, table, identity.search(col, kind, f"r_{col.name}"))
            what = identity.KINDS[kind]
            failures.append(f"{table.name}: {col.name} in {where} holds {what}; direct identity must not be in an extract")
    return failures


def place_of(con: duckdb.DuckDBPyConnection, extract: Extract, table: Table, condition: str) -> str:
    """The first row that meets a condition, by its id, or by its file and number where the id itself is identity."""
    key = f"r_{table.key}"
    is_identity = " or ".join(f"gate.has_{kind}({key})" for kind in identity.KINDS)
    files = extract.tables[table.name]

    def first_in(part: Part) -> list[tuple[int, str | None]]:
        one = TableFiles(table.name, (part,), files.is_staged)
        sql = union_sql(table, one, lambda parts: footer_facts(con, parts), places=True)[0]
        return con.execute(
            f"select row_number, case when not ({is_identity}) then {key} end from ({sql}) where {condition} order by row_number limit 1"
        ).fetchall()

    part = next(part for part in files.parts if first_in(part))
    number, row_id = first_in(in_order(extract, part) if files.is_staged else part)[0]
    return f"row {number} of {shown(part.name)}" if row_id is None else f"the row {table.key} {shown(row_id)}"


class blaming:  # noqa: N801 - reads as a word in a with statement
    """Turns an error of DuckDB while it reads tables into the refusal of the part that cannot be read."""

    def __init__(self, con: duckdb.DuckDBPyConnection, extract: Extract, tables: Sequence[str]) -> None:
        self.con, self.extract, self.tables = con, extract, tables

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, duckdb.Error) and not isinstance(error, duckdb.OutOfMemoryException):
            for table in self.tables:
                if part := damaged_part(self.con, self.extract, table):
                    raise ContractBroken(f"{table}: {part.name} cannot be read as Parquet (damaged)") from None


def damaged_part(con: duckdb.DuckDBPyConnection, extract: Extract, table: str) -> Part | None:
    """The first part of a table that cannot be read to its end, None where all can."""
    for part in extract.tables[table].parts:
        columns = ", ".join(column(spelling) for spelling in part.columns.values())
        try:
            con.execute(
                f"select bit_xor(hash({columns})) from read_parquet({paths_sql([part.file])}, "
                "binary_as_string = true, hive_partitioning = false)"
            ).fetchall()
        except duckdb.Error:
            return part
    return None


# --- the rows of assessed patients ------------------------------------------------------------------------------------


def leave_one_copy(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Leaves one of the byte-identical rows of pulled.<table>.

    pulled.copies tells of those left out (table_name, patient_id, is_usable), gate.repeated the ids that were there more than once.
    """
    con.execute("create table if not exists pulled.copies (table_name varchar, patient_id varchar, is_usable boolean)")
    con.execute("create table if not exists gate.repeated (table_name varchar, row_id varchar)")
    key = contract.load()[table].key
    con.execute(f"insert into gate.repeated select '{table}', {key} from pulled.{table} group by {key} having count(*) > 1")
    repeated = f"{key} in (select row_id from gate.repeated where table_name = '{table}')"
    con.execute(
        f"create or replace temp table copied as select *, row_number() over (partition by {key}, row_hash) as copy_number "
        f"from pulled.{table} where {repeated}"
    )
    con.execute(f"insert into pulled.copies select '{table}', patient_id, violations = [] from copied where copy_number > 1")
    con.execute(f"delete from pulled.{table} where {repeated}")
    con.execute(f"insert into pulled.{table} select * exclude (copy_number) from copied where copy_number = 1")


def check_duplicate_ids(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Refuses an id that is twice in pulled.<table>, where only one of byte-identical rows is left (`leave_one_copy`).

    Errors: ContractBroken.
    """
    key = contract.load()[table].key
    twice = con.execute(
        f"select {key}, count(*) from pulled.{table} where {key} in (select row_id from gate.repeated where table_name = '{table}') "
        "group by all having count(*) > 1 order by all limit 1"
    ).fetchall()
    if twice:
        raise ContractBroken(f"{table}: {key} {shown(twice[0][0])} is there {twice[0][1]} times with different contents; allowed is once")


def rejects(con: duckdb.DuckDBPyConnection, assessed_table: str) -> duckdb.DuckDBPyRelation:
    """One row per quarantined row of the extract, under its first violation: makes gate.rejects and returns it.

    All such rows of the patients in `assessed_table` (column patient_id); of the others at most 1,000 per table, column and
    cause, the lowest row_id by code point. The extract is not read again.
    """
    con.execute(
        "create or replace table gate.rejects (table_name varchar, row_id varchar, column_name varchar, cause varchar, patient_id varchar)"
    )
    con.execute(
        f"""
        insert into gate.rejects
        with broken as (
            select distinct q.*, a.patient_id is not null as is_assessed
            from gate.quarantined as q
            left join (select distinct patient_id from {assessed_table}) as a on q.patient_id = a.patient_id
        )
        select table_name, row_id, column_name, cause, patient_id
        from broken natural join gate.reasons
        qualify
            is_assessed
            or row_number() over (partition by is_assessed, table_name, number order by row_id, patient_id) <= {LISTED}
        """
    )
    return con.sql("from gate.rejects")
