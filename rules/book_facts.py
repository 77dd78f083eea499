"""What the criteria book tells of items, code lists, drugs, analytes and scored items, read from the files that decide."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rules import engine
from rules.engine import Item
from rules.parameters import Parameter, known_parameters
from rules.sources import Source, sources
from transforms.store import csv_frame, resource

PARAMETER = re.compile(r"(?:param\('|P:)([a-z_]+)")
FAIL_KINDS = ("lasting", "changeable", "timed")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class BookItem:
    """One item as the book tells it, in one language."""

    item: Item
    lang: str

    def said(self, key: str) -> str:
        """A text of the header in the book's language; empty where the header has none."""
        return self.item.header.get(key if self.lang == "en" else f"{key}_zh", "")

    @property
    def sources(self) -> tuple[Source, ...]:
        """What it reads, without the derived facts."""
        return tuple(source for source in sources(self.item.header["sources"]) if source.kind != "derived")

    @property
    def derived(self) -> list[str]:
        """The derived facts that it reads."""
        return [name for source in sources(self.item.header["sources"]) if source.kind == "derived" for name in source.names]

    @property
    def fail_kinds(self) -> list[str]:
        """The kinds of fail that it can give."""
        return [kind for kind in FAIL_KINDS if f"'{kind}'" in self.item.sql or kind == self.item.header["on_fail"]]

    @property
    def concepts(self) -> list[str]:
        """The code lists that it reads."""
        return [name for source in self.sources if source.kind == "concept" for name in source.names]

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters that it reads."""
        return [known_parameters()[name] for name in sorted(set(PARAMETER.findall(self.item.sql)))]

    @cached_property
    def cases(self) -> int:
        """How many expected rows its cases have; 0 without a file."""
        file = resource(engine.PACKAGE, "criteria", self.cases_file)
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        return sum(len(block.splitlines()) - 2 for block in re.findall(r"^expect\n((?:\|.*\n)+)", text, re.M))

    @property
    def cases_file(self) -> str:
        """The name of its file of cases."""
        return self.item.file.replace(".sql", ".cases.md")


def code_lists(lang: str) -> dict[str, dict[str, Any]]:
    """Concept -> title, scope, version, status, kind, and the number of active codes by code system and attribution, of retired ones."""
    found = {}
    for row in csv_frame("transforms", "codelists", "concepts.csv").iter_rows(named=True):
        codes = list(csv_frame("transforms", "codelists", f"{row['concept']}.csv").iter_rows(named=True))
        active = [code for code in codes if code["status"] == "active"]
        found[row["concept"]] = {
            "title": row["title_zh" if lang == "zh" else "title_en"],
            "scope": row["scope_zh" if lang == "zh" else "scope"],
            "version": row["version"],
            "status": row["status"],
            "counts": Counter(code["code_system"] for code in active),
            "attributions": Counter(code["attribution"] for code in active if code["attribution"]),
            "retired": len(codes) - len(active),
        }
    return found


def drugs(lang: str) -> dict[str, list[dict[str, Any]]]:
    """Class -> its ingredients: short and full name, codes, prednisone factor, standard daily dose (mg), days per dose."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in csv_frame("transforms.normalise", "maps", "drugs.csv").iter_rows(named=True):
        names = (row["names"] or "").split("|")
        chinese = next((name for name in names if CHINESE.search(name)), None)
        short = chinese if lang == "zh" and chinese else row["ingredient"]
        shown = f"{row['ingredient']} {chinese}" if lang == "zh" and chinese else row["ingredient"]
        found.setdefault(row["class"], []).append({**row, "short": short, "shown": shown})
    return found


def analytes(lang: str) -> dict[str, dict[str, Any]]:
    """Analyte -> its row of analytes.csv with ``title`` in the language."""
    rows = csv_frame("transforms.normalise", "maps", "analytes.csv").iter_rows(named=True)
    return {row["analyte"]: {**row, "title": row["title_zh" if lang == "zh" else "title_en"]} for row in rows}


def scored_items(scheme: str, lang: str) -> list[dict[str, Any]]:
    """The items of SLEDAI-2K or the classification in protocol order, with ``title`` in the language and ``analytes`` as a list."""
    rows = csv_frame("transforms.features", f"{scheme}_items.csv").iter_rows(named=True)
    return [
        {**row, "title": row["title_zh" if lang == "zh" else "title_en"], "analytes": (row["analytes"] or "").split("|")} for row in rows
    ]


def messages(prefix: str, lang: str) -> dict[str, str]:
    """What follows the prefix in the keys of messages.csv that begin with it -> the text in the language."""
    rows = csv_frame(engine.PACKAGE, "messages.csv").select("key", lang).iter_rows()
    return {key.removeprefix(prefix): text for key, text in rows if key.startswith(prefix)}
