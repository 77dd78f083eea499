"""Which rules these are: hashes of the files that decide verdicts, so that what was signed can be told from what runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources.abc import Traversable

from rules import engine
from transforms.store import resource

LENGTH = 12
ITEM_TABLES = ("sledai_items.csv", "classification_items.csv", "dose_units.csv")  # of transforms/features


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


@cache
def rule_versions() -> dict[str, str]:
    """Item -> hash of its SQL and of all the code and tables that the verdicts of all items pass through; comments of SQL do not count."""
    common = "".join(_digest([file]) for file in common_files()) + str(engine.trial()["reviews_hold_for_ever"])
    heads = {item.item_id: [item.header.get(key) for key in ("kind", "on_fail", "judgement")] for item in engine.items()}
    return {item.item_id: _hash(f"{common}{heads[item.item_id]}{_without_comments(item.sql)}") for item in engine.items()}


@cache
def code_list_versions() -> dict[str, str]:
    """Code list, map, or table of scored items or dose units -> hash of its file."""
    tables = [resource("transforms.features", name) for name in ITEM_TABLES]
    return {file.name.removesuffix(".csv"): _digest([file]) for file in [*code_list_files(), *tables]}


def messages_version() -> str:
    """Hash of the message catalogue."""
    return _digest([resource(engine.PACKAGE, "messages.csv")])


def events_version() -> str:
    """Hash of how events.parquet is made: rows of two runs are compared by row_hash only where it is the same."""
    return _hash(_without_comments(resource("transforms.publish", "events.sql").read_text(encoding="utf-8")) + version("duckdb"))


def common_files() -> list[Traversable]:
    """What lies between the extract and every verdict, but the code lists: contract, doors, cohort, meaning, derived facts, macros."""
    known = {file.name for file in code_list_files()} | set(ITEM_TABLES)
    rooms = ("ingest", "screening", "normalise", "features")
    found = [
        *_files(resource("data_contracts"), ".py", ".sql", ".csv"),
        *_files(resource("transforms"), ".py", ".sql"),
        *(file for room in rooms for file in _tree(resource("transforms", room)) if file.name not in known),
        *_files(resource("rules.shared"), ".sql"),
    ]
    return [*found, resource("rules", "engine.py"), resource("rules", "parameters.py"), resource(engine.PACKAGE, "combine.sql")]


def _tree(folder: Traversable) -> Iterator[Traversable]:
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.is_dir():
            yield from _tree(file)
        elif file.name.endswith((".py", ".sql", ".csv")):
            yield file


def _files(folder: Traversable, *endings: str) -> list[Traversable]:
    return sorted((file for file in folder.iterdir() if file.name.endswith(endings)), key=lambda file: file.name)


def _digest(files: list[Traversable]) -> str:
    digest = sha256()
    for file in files:
        text = file.read_bytes().replace(b"\r\n", b"\n")
        digest.update(file.name.encode() + b"\0" + text + b"\0")
    return digest.hexdigest()[:LENGTH]


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:LENGTH]


def _without_comments(sql: str) -> str:
    return re.sub(r"^\s*--.*\n", "", sql, flags=re.MULTILINE)
