"""Why an item says something else than in the run before.

A cause is named where nothing else that the item reads differs, or where the item, asked what it would say today without it, says something
else (rules/whatif.py). Where that leaves it open, all that may be the cause is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from rules.reads import ANY, MEASURED, Reads

OWN_WORDS = {"chart_reviews": "review", "dispositions": "disposition"}  # tables whose rows are a cause of their own
EDITS = ("new", "changed", "withdrawn")
MOST_EVIDENCE = 20  # rows that a verdict cites at most
SETTINGS = ("parameters", "phase")
Key = tuple[str, str]  # patient and item
LISTING = Reads(frozenset({("dispositions", ANY)}), frozenset(), frozenset(), False)  # whether a disposition keeps a patient off the list


@dataclass(frozen=True)
class RowChange:
    """A row that is not what it was, and what it is to a flipped item."""

    table: str
    row_id: str
    how: str  # one of EDITS; known (its date has come) or expired (a review) where the row itself is the same
    event_date: date | None
    known_date: date | None
    said: str  # as it came, in short; of a changed row before and now
    was_to_come: bool  # dated after day D in the run before
    is_named: bool
    was_evidence: bool
    is_evidence: bool

    @property
    def ref(self) -> str:
        """The row as evidence names it."""
        return f"{self.table}:{self.row_id}"

    @property
    def factor(self) -> str:
        """What it counts as: ``new rows``, ``withdrawn review`` …"""
        return f"{self.how} {OWN_WORDS.get(self.table, 'rows')}"


@dataclass(frozen=True)
class Flip:
    """An item of one patient whose verdict is not what it was; item_id is empty where a disposition took the patient off the list."""

    patient_id: str
    item_id: str
    is_leaf: bool
    from_day: date
    to_day: date
    from_verdict: str | None
    to_verdict: str | None
    to_fail_kind: str | None
    from_basis: str | None
    from_reason_code: str | None
    to_reason_code: str | None
    from_next_date: date | None
    to_evidence: tuple[str, ...]
    to_reason: str | None
    rows: tuple[RowChange, ...]

    @property
    def key(self) -> Key:
        """The patient and the item."""
        return self.patient_id, self.item_id

    @property
    def is_foretold(self) -> bool:
        """A fail of which the run before said that by now time alone would have ended it."""
        ends = self.from_next_date if self.from_verdict == "fail" != self.to_verdict else None
        return ends is not None and self.from_day < ends <= self.to_day

    def rows_of(self, factor: str) -> list[RowChange]:
        """The rows of a factor: those cited as evidence where there are any, else those that say something of the item; newest first."""
        rows = [row for row in self.rows if row.factor == factor]
        cited = [row for row in rows if (row.was_evidence and row.how != "new") or (row.is_evidence and row.how != "withdrawn")]
        chosen = cited or [row for row in rows if row.is_named] or rows
        return sorted(sorted(chosen, key=lambda row: row.ref), key=lambda row: row.event_date or date.min, reverse=True)


@dataclass(frozen=True)
class Decision:
    """The factors that flipped an item, and those that are neither proven nor ruled out."""

    causes: frozenset[str]
    doubtful: frozenset[str] = frozenset()

    @property
    def is_day_alone(self) -> bool:
        """Whether the move of day D did it and nothing else can have had a part."""
        return self.causes == {"day"} and not self.doubtful


@dataclass(frozen=True)
class Differences:
    """What differs between two runs as a whole, beside rows and days."""

    parameters: Mapping[str, tuple[str, str]]  # name -> before, now
    phase: tuple[str, str] | None  # before, now
    code_lists: frozenset[str]
    rules: frozenset[str]  # items
    tables: Mapping[str, str]  # table -> came or went
    libraries: tuple[str, ...]

    def factors(self, flip: Flip, read: Reads) -> set[str]:
        """All that may have flipped an item."""
        is_found = {
            "day": flip.from_day != flip.to_day,
            "parameters": bool(read.parameters & set(self.parameters)),
            "phase": self.phase is not None and read.is_of_collection,
            "code lists": bool(read.code_lists & self.code_lists),
            "rules": flip.item_id in self.rules,
            "tables": bool(read.tables & set(self.tables)),
        }
        return {factor for factor, found in is_found.items() if found} | {row.factor for row in flip.rows if row.how in EDITS}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Differences | None:
    """What differs between two runs by their run.json; None where the one before does not say enough."""
    try:
        old, new = before["versions"], now["versions"]
        return Differences(
            {name: (before["parameters"][name], value) for name, value in now["parameters"].items() if before["parameters"][name] != value},
            None if phase_of(before) == phase_of(now) else (phase_of(before), phase_of(now)),
            _differing(old["code_lists"], new["code_lists"]),
            _differing(old["rules"], new["rules"]),
            {table: "came" if table in now["tables"] else "went" for table in set(before["tables"]) ^ set(now["tables"])},
            tuple(name for name, version in new.items() if isinstance(version, str) and old[name] != version),
        )
    except (KeyError, TypeError):
        return None


def phase_of(record: Mapping[str, Any]) -> str:
    """The phase of a run, with the day of collection where one was given."""
    settings = record["settings"]
    return " ".join(str(settings[name]) for name in ("phase", "collection_date") if settings.get(name))


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for name in {*before, *now} if before.get(name) != now.get(name))


def known_causes(flip: Flip, factors: set[str]) -> set[str] | None:
    """The factors that flipped an item, where that can be told without asking what it would say otherwise; else None."""
    if flip.item_id and None in (flip.from_verdict, flip.to_verdict):
        return {"rules"}
    if len(factors) < 2:
        return factors or {"unknown"}
    if "tables" in factors and "table_absent" in (flip.from_reason_code, flip.to_reason_code):
        return {"tables"}
    new = {row.ref: row.factor for row in flip.rows if row.how == "new"}
    is_day_idle = all(row.how != "known" for row in flip.rows)  # else rows whose date has come may say the same
    if is_day_idle and flip.to_verdict != "unknown" and 0 < len(flip.to_evidence) < MOST_EVIDENCE and set(flip.to_evidence) <= set(new):
        return with_reading(flip, {new[ref] for ref in flip.to_evidence}, factors)
    if not flip.is_leaf:  # what a whole criterion, or the list, reads beside its items are rows alone
        return {factor for factor in factors if factor.split()[0] in EDITS} or factors
    return None


def variants(factors: set[str]) -> set[str]:
    """The factors that an item can be asked to do without: new rows, the day, the settings of the run."""
    asked = {factor for factor in factors if factor.startswith("new ") or factor == "day"}
    return asked | ({"settings"} if factors & set(SETTINGS) else set())


def decision(flip: Flip, factors: set[str], decisive: set[str]) -> Decision:
    """What flipped an item; ``decisive``: the variants in which it would say something else today.

    Changed and withdrawn rows cannot be put back: they are named where a verdict rests on them and no new row decides. Without the day's
    move the rows dated since are not seen either: beside such rows the day is named only where the run before foretold what it did.
    """
    causes = (decisive & factors) | (factors & set(SETTINGS) if "settings" in decisive else set())
    new = {factor for factor in causes if factor.startswith("new ")}
    if not new:
        causes |= {row.factor for row in flip.rows if row.how in EDITS[1:] and (row.was_evidence or row.is_evidence)}
    if any(is_dated_since(flip, row) for factor in causes for row in flip.rows_of(factor)):
        causes.discard("day")
    if flip.is_foretold:
        causes |= {"day"} & factors
    asked = {factor for factor in factors if factor.startswith("new ") or factor in ("day", *SETTINGS)}
    causes = with_reading(flip, causes or (factors - asked) or factors, factors)
    return Decision(frozenset(causes), frozenset(factors - asked - causes))


def with_reading(flip: Flip, causes: set[str], factors: set[str]) -> set[str]:
    """The causes, with another version of lists or rules beside results that seem to have come or gone.

    Runs keep the results of known analytes, so one that another version knows, or no longer knows, looks the same as one that came or went.
    """
    results = [row for factor in causes for row in flip.rows_of(factor) if row.table in MEASURED and row.how in ("new", "withdrawn")]
    is_doubtful = any(row.event_date is None or row.event_date <= flip.from_day for row in results)
    return causes | (factors & {"code lists", "rules"} if is_doubtful else set())


def is_dated_since(flip: Flip, row: RowChange) -> bool:
    """Whether a row that differs is dated after the day of the run before, and was not there already with its date to come."""
    return row.how != "withdrawn" and not row.was_to_come and row.known_date is not None and row.known_date > flip.from_day
