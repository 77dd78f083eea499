"""What a run published of one patient, and the run's words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from rules import engine
from transforms.errors import UsageError
from transforms.publish.considered import Frame
from transforms.publish.pages import said
from transforms.publish.tables import read_csv
from transforms.store import csv_frame

Row = dict[str, Any]


@dataclass(frozen=True)
class PatientRun:
    """One patient of one published run; each property reads its file when it is first asked for."""

    folder: Path
    patient_id: str

    @cached_property
    def verdicts(self) -> list[Row]:
        """The rows of verdicts.parquet, in protocol order."""
        return self._rows("verdicts")

    @cached_property
    def features(self) -> Row:
        """The row of features.parquet."""
        return self._rows("features")[0]

    @cached_property
    def events(self) -> list[Row]:
        """The rows of events.parquet. UsageError: a run of an earlier version has none."""
        if not (self.folder / "events.parquet").exists():
            raise UsageError(f"run {self.folder.name}: has no events.parquet; match the extract again")
        return self._rows("events")

    @cached_property
    def by_ref(self) -> dict[str, Row]:
        """``table:row_id`` -> the row of events.parquet; empty where the run has none."""
        events = self.events if (self.folder / "events.parquet").exists() else []
        return {f"{event['table']}:{event['row_id']}": event for event in events}

    @cached_property
    def descriptors(self) -> list[Row]:
        """The rows of descriptors.parquet, in protocol order."""
        return self._rows("descriptors")

    @cached_property
    def steps(self) -> list[Row]:
        """The rows of steps.parquet, best first; none where the run has none."""
        return self._rows("steps") if (self.folder / "steps.parquet").exists() else []

    @cached_property
    def doses(self) -> list[Row]:
        """The rows of gc_timeline.parquet, oldest first."""
        return self._rows("gc_timeline")

    @cached_property
    def causes(self) -> dict[str, str]:
        """``table:row_id`` -> why the row, or its value, could not be used."""
        frame = pl.read_parquet(self.folder / "rejects.parquet", columns=["table", "row_id", "cause"])
        return {f"{table}:{row_id}": cause for table, row_id, cause in frame.iter_rows()}

    @cached_property
    def listed(self) -> dict[str, str | None] | None:
        """The row of candidates.csv; None for a patient who is not listed."""
        return next((row for row in read_csv(self.folder / "candidates.csv") or [] if row["patient_id"] == self.patient_id), None)

    @cached_property
    def record(self) -> Row:
        """run.json."""
        found: Row = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return found

    @property
    def lang(self) -> str:
        """The run's language."""
        return str(self.record["settings"]["lang"])

    @property
    def frame(self) -> Frame:
        """What the windows of this patient are counted from."""
        settings = self.record["settings"]
        collection = settings.get("collection_date")
        return Frame(
            self.features["as_of"],
            self.record["parameters"],
            date.fromisoformat(collection) if collection else None,
            is_collection=settings["phase"] == "collection",
        )

    @cached_property
    def words(self) -> dict[str, str]:
        """The message catalogue in the run's language, and the titles of scored items and analytes."""
        catalogue = csv_frame(engine.PACKAGE, "messages.csv").select("key", self.lang)
        title = "title_zh" if self.lang == "zh" else "title_en"
        items = (
            csv_frame("transforms.features", f"{scheme}_items.csv").select("item_id", title) for scheme in ("sledai", "classification")
        )
        analytes = csv_frame("transforms.normalise", "maps", "analytes.csv").select("analyte", title)
        return (
            dict(catalogue.iter_rows())
            | {f"item.{item}": text for frame in items for item, text in frame.iter_rows()}
            | {f"analyte.{analyte}": text for analyte, text in analytes.iter_rows()}
        )

    @cached_property
    def titles(self) -> dict[str, str]:
        """Item or criterion -> its title in the run's language."""
        title = "title_zh" if self.lang == "zh" else "title"
        criteria = csv_frame(engine.PACKAGE, "criteria.csv").select("criterion_id", title)
        return dict(criteria.iter_rows()) | {item.item_id: item.header[title] for item in engine.items()}

    def say(self, key: str, *values: Any) -> str:
        """A word of the catalogue with its arguments; the last part of a key that is not there."""
        return said(self.words.get(key, key.rsplit(".", 1)[-1]), *values)

    def _rows(self, name: str) -> list[Row]:
        path = self.folder / f"{name}.parquet"
        return pl.scan_parquet(path).filter(pl.col("patient_id") == self.patient_id).collect().to_dicts()


def patient_run(out: Path, patient_id: str) -> PatientRun:
    """The patient in the latest run of OUT, or in the run whose folder ``out`` is. UsageError: no run here, patient not assessed."""
    folder = out / "latest" if (out / "latest").exists() else out
    if not (folder / "verdicts.parquet").exists():
        raise UsageError(f"{out}: no run is published here (verdicts.parquet is missing)")
    found = PatientRun(folder.resolve(), patient_id)
    if not found.verdicts:
        raise UsageError(f"patient {patient_id}: not assessed in run {found.folder.name}")
    return found
