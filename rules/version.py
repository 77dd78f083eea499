"""Which rules these are: hashes of the files that decide verdicts, so that what was signed can be told from what runs."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources.abc import Traversable

from rules import engine
from transforms.store import resource

LENGTH = 12


def rule_files() -> list[Traversable]:
    """The SQL of items, criteria, ranking and derived facts, the parameters, and the tables of scored items and dose units."""
    trial = resource(engine.PACKAGE)
    return [
        *_files(trial.joinpath("criteria"), ".sql"),
        *(trial.joinpath(name) for name in ("trial.toml", "items.csv", "criteria.csv", "parameters.csv")),
        *_files(trial, ".sql"),
        *_files(resource("rules.shared"), ".sql"),
        *_files(resource("transforms.normalise"), ".sql"),
        *_files(resource("transforms.features"), ".sql", ".csv"),
    ]


def code_list_files() -> list[Traversable]:
    """The code lists, and the maps of drugs, analytes, units and words."""
    return [*_files(resource("transforms", "codelists"), ".csv"), *_files(resource("transforms.normalise", "maps"), ".csv")]


@cache
def book_version() -> str:
    """The version of the criteria book: 12 hex digits that change with any file of the rules or code lists."""
    return _digest([*rule_files(), *code_list_files()])


def _files(folder: Traversable, *endings: str) -> list[Traversable]:
    return sorted((file for file in folder.iterdir() if file.name.endswith(endings)), key=lambda file: file.name)


def _digest(files: list[Traversable]) -> str:
    digest = sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:LENGTH]
