"""Great Expectations suites made from the contract's CSV files, and the page that shows their results.

Two suites per table. `counts` judges what the gate's pass over the table counted, whatever the table's size: no row quarantined
(a warning where one is), the shares and keys that refuse an extract (critical). `rows` judges the rows themselves, as typed in
raw.<table>, and is run where a table is small.
"""

import os
import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import duckdb

from data_contracts import contract
from data_contracts.contract import Column, Table
from data_contracts.gate import ContractReport, TableReport

SMALL = 20_000  # rows of a table up to which its rows are judged too
Severity = Literal["warning", "critical"]


def library() -> tuple[Any, Any]:
    """Great Expectations, imported only where it is used (3 CPU seconds), and a context in memory. Nothing is sent anywhere."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations of the libraries that it imports
        import great_expectations as gx
        import great_expectations.expectations
        from great_expectations.data_context.types.base import ProgressBarsConfig
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return gx, context


def expectation(gx: Any, kind: str, severity: Severity, meaning: str, **arguments: Any) -> Any:
    """An expectation of Great Expectations that carries what it means in words."""
    return getattr(gx.expectations, kind)(severity=severity, meta={"meaning": meaning}, **arguments)


# --- what was counted -----------------------------------------------------------------------------------------------


def counts_frame(report: ContractReport, found: TableReport, table: Table) -> dict[str, Any]:
    """One row: the quarantined rows of a table by column:cause, and what they come to."""
    share = found.rows_counted / found.rows_read if found.rows_read else 0.0
    return {f"{name}:{cause}": found.rejected.get((name, cause), 0) for name, cause in table.causes} | {
        "rows_read": found.rows_read,
        "rows_good": found.rows_read - found.rows_rejected - found.duplicates,
        "judged_share": share if found.rows_counted >= report.min_rejected_rows else 0.0,
    }


def counts_suite(gx: Any, report: ContractReport, table: Table, found: TableReport) -> Iterator[Any]:
    """What the contract expects of the counts of a table."""
    for name, cause in table.causes:
        is_key = name == table.key and cause == "null"
        yield expectation(
            gx,
            "ExpectColumnValuesToBeBetween",
            "critical" if is_key else "warning",
            f"no row with {name}: {cause}",
            column=f"{name}:{cause}",
            max_value=0,
        )
    yield expectation(
        gx,
        "ExpectColumnValuesToBeBetween",
        "critical",
        f"at most {report.max_rejected_share:.3g} of the rows quarantined, or fewer than {report.min_rejected_rows}",
        column="judged_share",
        max_value=report.max_rejected_share,
    )
    if found.rows_read:
        yield expectation(gx, "ExpectColumnValuesToBeBetween", "critical", "at least one good row", column="rows_good", min_value=1)


# --- rows -----------------------------------------------------------------------------------------------------------


def rows_suite(gx: Any, table: Table, last_day: date | None) -> Iterator[Any]:
    """What the contract expects of the rows of a table as raw.<table> types them."""
    yield expectation(gx, "ExpectColumnValuesToBeUnique", "critical", f"{table.key} is unique", column=table.key)
    for column in table.columns:
        yield from column_expectations(gx, column, last_day)
    for check in table.cross_checks:
        later, sign, earlier = [*check.broken_when.split(" "), "", ""][:3]
        if sign == "<":
            yield expectation(
                gx,
                "ExpectColumnPairValuesAToBeGreaterThanB",
                "warning",
                f"no {check.meaning}",
                column_A=later,
                column_B=earlier,
                or_equal=True,
                ignore_row_if="either_value_is_missing",
            )


def column_expectations(gx: Any, column: Column, last_day: date | None) -> Iterator[Any]:
    """What the contract expects of one column of typed rows."""
    name = column.name
    if not column.is_nullable:
        yield expectation(gx, "ExpectColumnValuesToNotBeNull", "warning", f"{name} is there", column=name)
    if column.type == "word":
        allowed = list(column.allowed)
        yield expectation(gx, "ExpectColumnValuesToBeInSet", "warning", f"{name} is an allowed word", column=name, value_set=allowed)
    if column.is_dated and column.type != "integer":
        latest = last_day if column.is_dated_up_to_limit else None
        until = f" to {latest}" if latest else ""
        yield expectation(
            gx,
            "ExpectColumnValuesToBeBetween",
            "warning",
            f"{name} from {contract.FIRST_DAY}{until}",
            column=name,
            min_value=datetime.fromisoformat(contract.FIRST_DAY),
            max_value=datetime.combine(latest, time.max) if latest else None,
        )
    if column.is_positive:
        yield expectation(
            gx,
            "ExpectColumnValuesToBeBetween",
            "warning",
            f"{name} is above 0",
            column=name,
            min_value=0,
            strict_min=True,
        )


def rows_frame(con: duckdb.DuckDBPyConnection, table: Table) -> Any:
    """The rows of raw.<table> as pandas holds them, dates and times alike as timestamps."""
    columns = ", ".join(
        f"cast({column.name} as timestamp) as {column.name}" if column.type == "date" else column.name for column in table.columns
    )
    return con.sql(f"select {columns} from raw.{table.name}").df()


# --- judging --------------------------------------------------------------------------------------------------------


def judge(report: ContractReport, con: duckdb.DuckDBPyConnection | None = None) -> list[dict[str, Any]]:
    """The results of the suites, an expectation each: table, suite, expectation, column, meaning, severity, success, unexpected.

    With a connection in which the extract is open the rows of small tables are judged too. The results are also put into the
    report.
    """
    gx, context = library()
    import polars as pl

    source = context.data_sources.add_pandas("contract")
    results = []
    for table in contract.load().values():
        found = report.tables.get(table.name)
        if found is None or not found.is_present or not found.is_judged:
            continue
        frame = pl.DataFrame([counts_frame(report, found, table)]).to_pandas()
        suites = [("counts", frame, list(counts_suite(gx, report, table, found)))]
        if con is not None and 0 < found.rows_read <= SMALL:
            last_day = (
                None
                if report.as_of is None
                else con.execute("select cast($day + interval 1 year as date)", {"day": report.as_of}).fetchall()[0][0]
            )
            suites.append(("rows", rows_frame(con, table), list(rows_suite(gx, table, last_day))))
        for suite_name, rows, expectations in suites:
            suite = gx.ExpectationSuite(name=f"{table.name}_{suite_name}", expectations=expectations)
            asset = source.add_dataframe_asset(suite.name)
            batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": rows})
            outcome = batch.validate(suite, result_format="SUMMARY")
            results += [result_row(table.name, suite_name, each) for each in outcome.results]
    report.results = results
    return results


def result_row(table: str, suite: str, outcome: Any) -> dict[str, Any]:
    """One judged expectation as run.json and the page hold it; no value of a row is kept."""
    asked = outcome.expectation_config
    details = outcome.result or {}
    count = details.get("partial_unexpected_list", [0]) if suite == "counts" else None
    unexpected = (count[0] if count else 0) if suite == "counts" else details.get("unexpected_count", 0)
    return {
        "table": table,
        "suite": suite,
        "expectation": asked.type,
        "column": asked.kwargs.get("column") or asked.kwargs.get("column_A"),
        "meaning": asked.meta["meaning"],
        "severity": asked.severity.value,
        "success": bool(outcome.success),
        "unexpected": unexpected,
        "error": error_of(outcome),
    }


def error_of(outcome: Any) -> str | None:
    """Why an expectation could not be judged at all, None where it was."""
    info = outcome.exception_info or {}
    single = [info] if "raised_exception" in info else list(info.values())
    return next((str(each["exception_message"]) for each in single if each.get("raised_exception")), None)


# --- the page -------------------------------------------------------------------------------------------------------


def write_docs(report: ContractReport, into: Path) -> Path:
    """Writes the results of the suites as one page, index.html, that asks for nothing outside itself; returns its path."""
    from jinja2 import Environment

    source = files("data_contracts").joinpath("templates/contract.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    by_table = {name: [row for row in report.results if row["table"] == name] for name in report.tables}
    into.mkdir(parents=True, exist_ok=True)
    path = into / "index.html"
    path.write_text(page.render(report=report, tables=contract.load(), results=by_table), encoding="utf-8")
    return path
