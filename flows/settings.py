"""What a run is told: the extract, OUT, and how to read and assess it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """One run's settings, as ``zm001 match`` takes them."""

    extract: Path
    out: Path
    as_of: date | None = None
    phase: Literal["prescreen", "collection"] = "prescreen"
    collection_date: date | None = None
    params: Path | None = None
    format: str | None = None
    lang: Literal["en", "zh"] = "en"
    memory_limit: str | None = None
    threads: int | None = None
    keep_store: bool = False
    keep: int = 30  # earlier runs that stay in OUT
    wait: int = 0  # seconds for another run in OUT to end
    dossiers: int = 50  # from the first of the list on
