"""The flipped items of a night, each with the rows that it reads and that differ, and the factors that flipped it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import polars as pl

from rules import engine
from rules.reads import Reads, reads, reads_frame, reads_of_criterion
from rules.whatif import RunSettings, what_if
from transforms.publish.causes import LISTING, OWN_WORDS, Decision, Differences, Flip, Key, RowChange, decision, known_causes, variants
from transforms.store import load, run_sql

PACKAGE = "transforms.publish"
MOST_COPIES = 1000  # copies of patients that are asked what they would be otherwise; beyond that all that may be the cause is named
ROW = ('"table"', "row_id", "how", "event_date", "known_date", "said", "was_to_come", "is_named", "was_evidence", "is_evidence")
FLIP = (
    "patient_id", "item_id", "is_leaf", "from_day", "to_day", "from_verdict", "to_verdict", "to_fail_kind", "from_basis",
    "from_reason_code", "to_reason_code", "from_next_date", "to_evidence", "to_reason",
)  # fmt: skip


@dataclass(frozen=True)
class Night:
    """Two runs to compare: the store of this one, both run.json, what differs as a whole (None: the one before does not tell enough)."""

    con: duckdb.DuckDBPyConnection
    before: Mapping[str, Any]
    now: Mapping[str, Any]
    differ: Differences | None


def read_flips(night: Night) -> list[Flip]:
    """The flipped items in protocol order, each with the rows that it reads and that are not what they were."""
    con, rows = night.con, dict[tuple[str, str], list[RowChange]]()
    if night.differ:
        is_comparable = night.before["versions"].get("events") == night.now["versions"]["events"]
        con.execute("create or replace table run.previous as select ?::boolean as is_hash_comparable", [is_comparable])
        load(con, "run.item_reads", reads_frame(all_reads()))
        run_sql(con, PACKAGE, "row_changes.sql")
        for patient_id, item_id, *row in con.sql(f"select patient_id, item_id, {', '.join(ROW)} from pub.flip_rows").fetchall():
            rows.setdefault((patient_id, item_id), []).append(RowChange(*row))
    flips = con.sql(f"select {', '.join(FLIP)} from pub.flips order by patient_id, position").pl()
    return [
        Flip(**{**flip, "to_evidence": tuple(flip["to_evidence"] or ())}, rows=tuple(rows.get((flip["patient_id"], flip["item_id"]), ())))
        for flip in flips.iter_rows(named=True)
    ]


def all_reads() -> dict[str, Reads]:
    """What items, whole criteria and the list may depend on."""
    criteria = {item.criterion_id for item in engine.items()} - set(reads())
    return {**reads(), **{criterion: reads_of_criterion(criterion) for criterion in criteria}, "": LISTING}


def decide(night: Night, flips: Iterable[Flip]) -> dict[Key, Decision]:
    """What flipped each item."""
    if night.differ is None:
        return {flip.key: Decision(frozenset({"unknown"})) for flip in flips}
    decided, open_flips = dict[Key, Decision](), dict[Key, tuple[Flip, set[str]]]()
    read = all_reads()
    for flip in flips:
        factors = night.differ.factors(flip, read[flip.item_id])
        causes = known_causes(flip, factors)
        if causes is not None:
            decided[flip.key] = Decision(frozenset(causes))
        else:
            open_flips[flip.key] = flip, factors
    decisive = ask(night, list(open_flips.values()))
    for key, (flip, factors) in open_flips.items():
        decided[key] = Decision(frozenset(factors)) if decisive is None else decision(flip, factors, decisive[key])
    return decided


def ask(night: Night, open_flips: list[tuple[Flip, set[str]]]) -> dict[Key, set[str]] | None:
    """The variants in which each item would say something else today; None where that would ask too many copies."""
    wanted = {(flip.patient_id, variant): flip for flip, factors in open_flips for variant in variants(factors)}
    if len(wanted) > MOST_COPIES:
        return None
    copies = pl.DataFrame(
        [
            (patient_id, variant, flip.from_day if variant == "day" else flip.to_day)
            for (patient_id, variant), flip in sorted(wanted.items())
        ],
        schema={"patient_id": pl.String, "variant": pl.String, "as_of": pl.Date},
        orient="row",
    )
    without = night.con.sql("select patient_id, \"table\", row_id from pub.row_changes where how = 'new'").pl()
    without = without.with_columns(
        variant=pl.format("new {}", pl.col("table").replace_strict(OWN_WORDS, default="rows", return_dtype=pl.String))
    )
    is_of_settings = pl.col("variant") == "settings"
    asked = {flip.item_id for flip, _ in open_flips}
    asked_of_settings = {flip.item_id for flip, factors in open_flips if "settings" in variants(factors)}
    answers = pl.concat(
        [
            what_if(night.con, copies.filter(~is_of_settings), without, asked),
            what_if(night.con, copies.filter(is_of_settings), without, asked_of_settings, settings_before(night)),
        ]
    )
    would = {(p, item_id, variant): (verdict, fail_kind == "lasting") for p, variant, item_id, verdict, fail_kind in answers.iter_rows()}
    return {
        flip.key: {v for v in variants(factors) if would[*flip.key, v] != (flip.to_verdict, flip.to_fail_kind == "lasting")}
        for flip, factors in open_flips
    }


def settings_before(night: Night) -> RunSettings:
    """The parameters, phase and day of collection of the run before."""
    parameters = {name: night.before["parameters"].get(name, value) for name, value in night.now["parameters"].items()}
    settings = night.before["settings"]
    day = settings.get("collection_date")
    return RunSettings(parameters, settings["phase"], date.fromisoformat(str(day)) if day else None)
