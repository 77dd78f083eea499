"""A patient's verdicts in the terminal."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transforms.errors import UsageError

COLOURS = {"pass": "green", "fail": "red", "review": "yellow", "unknown": "blue"}


def print_verdicts(out: Path, patient_id: str, item: str | None = None) -> None:
    """Print verdicts, reasons and evidence of a patient, of all items or of one; UsageError: no such run, patient or item."""
    run = out / "latest" if (out / "latest").exists() else out
    if not (run / "verdicts.parquet").exists():
        raise UsageError(f"{out}: no run is published here (verdicts.parquet is missing)")
    verdicts = pl.scan_parquet(run / "verdicts.parquet").filter(pl.col("patient_id") == patient_id).collect()
    if verdicts.is_empty():
        raise UsageError(f"patient {patient_id}: not assessed in this run")
    if item is not None:
        verdicts = verdicts.filter(pl.any_horizontal(pl.col("item_id", "criterion_id").str.to_lowercase() == item.lower()))
        if verdicts.is_empty():
            raise UsageError(f"item {item}: not evaluated in this run")
    table = Table(title=f"patient {patient_id}", title_justify="left", show_lines=False, expand=False)
    for column in ("item", "verdict", "basis", "reason", "evidence", "date", "next"):
        table.add_column(column, overflow="fold", no_wrap=column in ("item", "verdict"))
    for row in verdicts.iter_rows(named=True):
        cause = f" [{row['reason_code']}]" if row["reason_code"] else f" [{row['fail_kind']}]" if row["fail_kind"] else ""
        table.add_row(
            row["item_id"],
            Text(row["verdict"], style=COLOURS[row["verdict"]]),
            row["basis"],
            Text(f"{row['reason'] or ''}{cause}"),
            Text(", ".join(row["evidence"])),
            str(row["evidence_date"] or ""),
            str(row["next_date"] or ""),
        )
    Console(soft_wrap=False).print(table)
