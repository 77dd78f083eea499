"""Causes checked by runs that really lack them: yesterday's rows assessed on today's day, and today's rows on yesterday's."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest

from tests import runs

TODAY = date(2026, 3, 1)
DATED = {
    "diagnoses": "recorded_date", "medications": "start_date", "labs": "collected_at", "procedures": "performed_date",
    "observations": "observed_at", "immunizations": "given_date", "chart_reviews": "reviewed_date", "dispositions": "recorded_date",
}  # fmt: skip
Row = dict[str, str]
Outcome = tuple[str, bool]  # verdict, whether it is a lasting fail
EDITS: dict[str, Callable[[Random, Row], Row]] = {
    "labs": lambda rng, row: {"value": rng.choice(["5", "80", "300", "positive", "negative", "see note"])},
    "observations": lambda rng, row: {"status": rng.choice(["entered-in-error", "preliminary"])},
    "medications": lambda rng, row: rng.choice([{"end_date": ""}, {"status": "cancelled"}, {"dose_value": "10"}]),
    "diagnoses": lambda rng, row: {"status": rng.choice(["refuted", "resolved", "active"])},
    "chart_reviews": lambda rng, row: {"answer": rng.choice(["yes", "no", "unknown"])},
}


def make_yesterday(today: Path, yesterday: Path, day: date, rng: Random) -> None:
    """The extract of the night before: without most rows dated since and some others; with rows gone today, and other contents."""
    shutil.copytree(today, yesterday)
    for folder in (today, yesterday):
        (folder / "extract.json").write_text(json.dumps({"as_of": str(TODAY)}))
    for table, column in DATED.items():
        with (today / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), list(reader.fieldnames or ())
        before, now = [], []
        for row in rows:
            is_recent, is_since = row[column][:10] > str(day - timedelta(days=200)), row[column][:10] > str(day)
            chance = rng.random() * (1 if is_recent else 3)
            if (is_since and rng.random() < 0.9) or chance < 0.03:
                now.append(row)
            elif chance < 0.05:
                before.append(row)
            else:
                before.append(row | EDITS[table](rng, row) if chance < 0.08 and table in EDITS else row)
                now.append(row)
        for folder, kept in ((yesterday, before), (today, now)):
            with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                writer.writerows(kept)


def outcomes(run: Path) -> dict[tuple[str, str], Outcome]:
    """What each item says of each patient."""
    rows = pl.read_parquet(run / "verdicts.parquet", columns=["patient_id", "item_id", "verdict", "fail_kind"]).iter_rows()
    return {(patient_id, item_id): (verdict, kind == "lasting") for patient_id, item_id, verdict, kind in rows}


@pytest.mark.slow
@pytest.mark.parametrize("days", [0, 1, 9])
def test_no_cause_is_false(tmp_path: Path, days: int) -> None:
    day = TODAY - timedelta(days=days)
    shutil.copytree(runs.NATIVE, tmp_path / "today")
    make_yesterday(tmp_path / "today", tmp_path / "yesterday", day, Random(days))
    (tmp_path / "loose.toml").write_text("max_rejected_share = 0.5\n")
    told = {"params": tmp_path / "loose.toml", "dossiers": 0}
    runs.match(tmp_path / "yesterday", tmp_path / "out", as_of=day, **told)
    second = runs.match(tmp_path / "today", tmp_path / "out", as_of=TODAY, **told)
    now = outcomes(second)
    old_rows_today = outcomes(runs.match(tmp_path / "yesterday", tmp_path / "old rows", as_of=TODAY, **told))
    rows_on_old_day = outcomes(runs.match(tmp_path / "today", tmp_path / "old day", as_of=day, **told))
    with (second / "changes.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["item_id"]]
    seen = Counter(line["cause"] for line in lines)
    assert {"new_rows", "changed_rows", "withdrawn_rows", *(["calendar"] if days else [])} <= set(seen)
    for line in lines:
        key = line["patient_id"], line["item_id"]
        is_calendar = "calendar" in line["cause"] or "no longer holds" in line["reason"]
        if "alone" in line["reason"]:  # the rows did nothing
            assert (line, old_rows_today[key]) == (line, now[key])
        elif not is_calendar:  # without what the rows did it would say something else, or they do it on the old day too
            assert now[key] != old_rows_today[key] or rows_on_old_day[key] == now[key], line
        elif "rows" not in line["cause"]:  # without the move of day D it would say something else
            assert now[key] != rows_on_old_day[key], line
        assert line["cause"] != "unknown"
