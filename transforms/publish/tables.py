"""The published tables as files: the list, counts and Parquet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from transforms.publish.worklist import questions, write_worklist
from transforms.store import run_sql

if TYPE_CHECKING:
    from transforms.publish.previous import Previous

FORMULA = r"^'*[\s\p{Cf}]*[=+\-@\t\r\n|＝＋－＠]"  # guarded cells too, so that reading takes off exactly what writing put there
PLAIN_NUMBER = r"^-?\d+(\.\d+)?$"
SMALL_COUNT = 5
COUNTS = {"funnel": "step", "completeness": "position"}
PARQUET = {
    "verdicts": "select * exclude (position) from pub.verdict_rows order by patient_id, position",
    "features": "from pub.features order by patient_id",
    "descriptors": """
        select patient_id, item_id, state, weight, reason_code, row_ids(evidence) as evidence
        from feat.descriptors order by patient_id, position
    """,
    "events": 'from pub.events order by patient_id, "table", row_id',
    "steps": "from pub.steps order by patient_id, step_no",
    "gc_timeline": "from feat.gc_timeline order by patient_id, start_date",
    "rejects": """
        select table_name as "table", row_id, column_name as "column", cause from gate.rejects
        union all
        select source_table, row_id, case when starts_with(cause, 'unit') then 'unit' else 'value' end, cause
        from norm.results where cause is not null
        union all
        select "table", row_id, null, reason from run.door_rows
        order by all
    """,
}


def write_tables(
    con: duckdb.DuckDBPyConnection,
    into: Path,
    *,
    criteria: list[str],
    previous: Previous | None,
) -> None:
    """Write every table of a run into the folder ``into``.

    ``criteria``: the columns of candidates.csv after to_do; ``previous``: the
    candidates of the run before, for the column change.
    """
    run_sql(con, "transforms.publish", "record.sql", "events.sql", "counts.sql", "worklist.sql", "unmapped.sql")
    words = dict(con.sql("select key, text from run.messages").fetchall())
    listed = candidates(con, criteria, previous)
    write_csv(listed, into / "candidates.csv", bom=True)
    write_worklist(listed, questions(con), words, into / "worklist.xlsx")
    for name, order in COUNTS.items():
        write_csv(counts(con, name, order, words), into / f"{name}.csv")
    write_csv(con.sql("from pub.unmapped order by all").pl(), into / "unmapped.csv")
    for name, query in PARQUET.items():
        write_parquet(con, query, into / f"{name}.parquet")


def candidates(con: duckdb.DuckDBPyConnection, criteria: list[str], previous: Previous | None) -> pl.DataFrame:
    """One row per candidate in rank order, with the columns of the list; criteria without a verdict are empty."""
    listed = con.sql("select * from pub.list order by rank").pl()
    verdicts = con.sql("select patient_id, item_id, verdict from pub.verdict_rows where item_id = criterion_id").pl()
    wide = verdicts.pivot(on="item_id", index="patient_id", values="verdict")
    frame = listed.join(wide, on="patient_id", how="left", maintain_order="left").join(
        moved(listed, previous), on="patient_id", how="left", maintain_order="left"
    )
    absent = [pl.lit(None, pl.String).alias(c) for c in criteria if c not in frame.columns]
    fixed = [*listed.columns[:4], "change", *listed.columns[4:]]
    return frame.with_columns(*absent, pl.col("expected_pass").map_elements(lambda p: f"{p:.6f}", pl.String)).select(*fixed, *criteria)


def moved(listed: pl.DataFrame, previous: Previous | None) -> pl.DataFrame:
    """patient_id, change: new, up, down or same against the previous list, by tier, then rank; null where that cannot be read."""
    if previous is None or previous.candidates is None:
        return listed.select("patient_id", change=pl.lit("new" if previous is None else None, pl.String))
    tiers = ["ready", "check", "watch"]
    before = previous.candidates.select("patient_id", old_rank="rank", old_tier="tier")
    place = pl.col("tier").replace_strict(tiers, [0, 1, 2], return_dtype=pl.Int64) * 10**9 + pl.col("rank")
    old = pl.col("old_tier").replace_strict(tiers, [0, 1, 2], default=None, return_dtype=pl.Int64) * 10**9 + pl.col("old_rank")
    change = (
        pl.when(old.is_null())
        .then(pl.lit("new"))
        .when(place < old)
        .then(pl.lit("up"))
        .when(place > old)
        .then(pl.lit("down"))
        .otherwise(pl.lit("same"))
    )
    return listed.join(before, on="patient_id", how="left").select("patient_id", change=change)


def counts(con: duckdb.DuckDBPyConnection, name: str, place: str, words: Mapping[str, str]) -> pl.DataFrame:
    """pub.funnel or pub.completeness with titles in the run's language; counts from 1 to 4 are written ``<5``."""
    frame = con.sql(f"select * from pub.{name} order by {place}").pl()
    count = pl.selectors.integer().exclude("step")
    hidden = pl.when(count.is_between(1, SMALL_COUNT - 1)).then(pl.lit(f"<{SMALL_COUNT}")).otherwise(count.cast(pl.String)).name.keep()
    title = pl.col("title_key").replace_strict(words, return_dtype=pl.String)
    return frame.drop("position", strict=False).with_columns(hidden, title).rename({"title_key": "title"})


def write_csv(frame: pl.DataFrame, path: Path, *, bom: bool = False) -> None:
    """Write a CSV for people: CRLF, no cell that a spreadsheet would run as a formula."""
    text = pl.selectors.string()
    guarded = pl.when(text.str.contains(FORMULA) & ~text.str.contains(PLAIN_NUMBER)).then("'" + text).otherwise(text).name.keep()
    frame.with_columns(guarded).write_csv(path, include_bom=bom, line_terminator="\r\n")


def read_candidates(path: Path) -> pl.DataFrame:
    """patient_id, tier, rank of the candidates of an earlier run. Errors: OSError, PolarsError where they cannot be read."""
    return _unguarded(path).select("patient_id", "tier", pl.col("rank").cast(pl.Int64))


def read_csv(path: Path) -> list[dict[str, str | None]] | None:
    """The rows of a CSV that ``write_csv`` wrote, as text, empty cells None; None where there is no such file."""
    return _unguarded(path).to_dicts() if path.exists() else None


def _unguarded(path: Path) -> pl.DataFrame:
    guarded = FORMULA.replace("^", "^'(", 1) + ")"
    return pl.read_csv(path, infer_schema=False).with_columns(pl.all().str.replace(guarded, "$1"))


def write_parquet(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write the rows of a query in its order."""
    con.execute("set preserve_insertion_order = true")
    con.execute(f"copy ({query}) to '{quoted(path)}' (format parquet, compression zstd, compression_level 1)")


def quoted(path: Path) -> str:
    """A path as it stands inside quotes in SQL."""
    return re.sub("'", "''", str(path))
