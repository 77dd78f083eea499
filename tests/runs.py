"""Runs of the main job for tests: in this process, quiet, on an extract."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from flows.nightly import nightly
from flows.settings import Settings

NATIVE = Path(__file__).parents[1] / "sample_data" / "native"


def match(extract: Path, out: Path, **settings: Any) -> Path:
    """The published folder of a run."""
    return nightly(Settings(extract, out, **settings))[0]


def candidates(run: Path) -> list[dict[str, str]]:
    """The rows of candidates.csv."""
    with (run / "candidates.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def record(run: Path) -> Any:
    """run.json."""
    return json.loads((run / "run.json").read_text(encoding="utf-8"))
