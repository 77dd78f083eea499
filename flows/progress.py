"""What a person sees of a run: a line per step while it runs, and the numbers at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console


class Progress:
    """Prints each step on stderr as it ends; on a terminal a spinner shows the step under way."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while it runs, and its seconds when it has ended."""
        start = time.perf_counter()
        with self.console.status(title):
            yield
        self.console.print(f"  {title:<22} {time.perf_counter() - start:6.1f} s")

    def note(self, text: str) -> None:
        """Show one line that an operator should know."""
        self.console.print(f"  {text}", markup=False)


def summary(folder: Path, out: Path, record: dict[str, Any]) -> None:
    """Print what was read and rejected, the cohort, the tiers, and where the list and the report are."""
    tables, listed, tiers = record["tables"], record["listed"], record["tiers"]
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"read      {sum(t['rows'] for t in tables.values()):,} rows of {len(tables)} tables,"
        f" {sum(t['rejected'] for t in tables.values()):,} rejected (rejects.parquet)"
    )
    patients = tables["patients"]["rows"] - tables["patients"]["duplicates"]
    if record["cohort"]:
        console.print(f"assessed  {record['cohort']:,} of {patients:,} patients")
    else:
        console.print(
            f"assessed  none of {patients:,} patients: no patient has SLE, by diagnosis, classification or chart"
            " (P:cohort = all assesses everyone)"
        )
    console.print(
        "listed    "
        + ", ".join(f"{tier} {listed.get(tier, 0):,}" for tier in ("ready", "check", "watch"))
        + f"; excluded {tiers.get('excluded', 0):,}"
    )
    if record["same_extract_as"]:
        console.print(
            f"note      every file of the extract is as in run {record['same_extract_as']} (delivered again?); published all the same"
        )
    if record["previous"]:
        told = record["changes"]
        console.print(f"changes   {told['lines']:,} lines of {told['patients']:,} patients against run {record['previous']} (changes.csv)")
    for problem in record["not_compared"]:
        console.print(f"note      the run before, {record['previous']}: {problem}, so changes are not told in full")
    if record["not_evaluated"]:
        console.print(f"not evaluated yet: {', '.join(record['not_evaluated'])}")
    console.print(f"list      {out / 'latest' / 'candidates.csv'}  (run {folder.name})")
    console.print(f"report    {out / 'latest' / 'report.html'}")
