"""The parameters of the pre-screening: one table with defaults and ranges, and a site's TOML file of what differs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from transforms.errors import UsageError
from transforms.store import csv_frame

COHORTS = ("sle", "all")


@dataclass(frozen=True)
class Parameter:
    """One row of parameters.csv; ``least`` and ``greatest`` are None for words."""

    name: str
    default: str
    least: float | None
    greatest: float | None
    unit: str
    meaning: str
    meaning_zh: str
    unit_zh: str

    def checked(self, value: object) -> str:
        """The value as text; UsageError where it is no such value or out of range."""
        if self.least is None or self.greatest is None:
            if value not in COHORTS:
                raise UsageError(f"parameter {self.name}: {value!r} is not allowed; allowed: {self.unit}")
            return str(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (self.unit != "share" and not isinstance(value, int)):
            kind = "a number" if self.unit == "share" else "a whole number"
            raise UsageError(f"parameter {self.name}: {value!r} is not {kind}")
        if not self.least <= value <= self.greatest:  # type: ignore[operator]
            raise UsageError(f"parameter {self.name}: {value} is out of range; allowed: {self.least:g} to {self.greatest:g} {self.unit}")
        return str(value)


@cache
def known_parameters() -> dict[str, Parameter]:
    """Every parameter by name, in the order of parameters.csv."""
    rows = csv_frame("rules.zm001", "parameters.csv").iter_rows(named=True)
    return {row["name"]: Parameter(**{**row, "least": _number(row["least"]), "greatest": _number(row["greatest"])}) for row in rows}


def parameters(changes: Mapping[str, object] | None = None) -> dict[str, str]:
    """The parameters in force as text: the defaults, and ``changes`` checked. UsageError: an unknown name, a value out of range."""
    values = {name: parameter.default for name, parameter in known_parameters().items()}
    for name, value in (changes or {}).items():
        if name not in known_parameters():
            raise UsageError(f"parameter {name}: unknown; known: {', '.join(known_parameters())}")
        values[name] = known_parameters()[name].checked(value)
    return values


def read_toml(path: Path) -> dict[str, object]:
    """A site's parameter file: flat ``name = value`` lines. UsageError: not readable, not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"parameters {path.name}: cannot be read ({type(error).__name__})") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"parameters {path.name}: not TOML: {error}") from error


def parameter_frame(values: Mapping[str, str]) -> pl.DataFrame:
    """run.parameters: one row per parameter, name and value as text."""
    return pl.DataFrame({"name": list(values), "value": list(values.values())})


def _number(text: str | None) -> float | None:
    return float(text) if text else None
