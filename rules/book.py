"""Prints the criteria book, in English and Chinese, from the headers and cases of the rules, the parameters and the code lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from rules import engine
from rules.book_facts import BookItem, analytes, code_lists, drugs, messages, scored_items
from rules.parameters import Parameter, known_parameters
from rules.version import book_version
from transforms.store import csv_frame, resource

FOLDER = Path(__file__).parent / "zm001"
BOOKS = {"en": FOLDER / "README.md", "zh": FOLDER / "README.zh.md"}
FEW_DRUGS = 9  # a longer class is counted where an item reads it, and listed once
CODED = {"en": "codes: {}", "zh": "编码：{}"}
DOUBTED = {"en": "unknown instead of present with {}", "zh": "合并{}时由存在改为未知"}
MANNER = {
    "en": {"above": "{} > {}", "below": "{} < {}", "below limit": "{} below its lower limit", "positive": "{} positive"},
    "zh": {"above": "{} > {}", "below": "{} < {}", "below limit": "{}低于正常下限", "positive": "{}阳性"},
}
ONLY_CHART = {"en": "chart review only", "zh": "仅凭病历核查"}
ABSENT_NEEDS = {"en": "absent only where measured: {}", "zh": "下列均已检测方可判为不存在：{}"}
SAME_DAY = {"en": "all on one day", "zh": "须在同一天"}
DEFAULT_FOR_MEN = {"en": "men", "zh": "男"}


def book(lang: str, values: Mapping[str, str] | None = None) -> str:
    """The criteria book as Markdown, in English (``en``) or Chinese (``zh``); ``values``: the parameters in force at a site."""
    templates = Environment(
        loader=FunctionLoader(lambda name: resource("rules", "templates", name).read_text(encoding="utf-8")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, of texts that ship with the project
    )
    templates.filters["cell"] = cell
    text = templates.get_template(f"book_{lang}.md").render(facts(lang, values))
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def facts(lang: str, values: Mapping[str, str] | None) -> dict[str, Any]:
    """What the templates are given: the trial, its items, and tables in the language."""
    items = [BookItem(item, lang) for item in engine.items()]
    lists, measured = code_lists(lang), analytes(lang)
    read = {name for item in items for source in item.sources if source.kind == "class" for name in source.names}
    criteria = [
        {"criterion_id": criterion, "title": title, "items": [item for item in items if item.item.criterion_id == criterion]}
        for criterion, title in csv_frame(engine.PACKAGE, "criteria.csv")
        .select("criterion_id", "title" if lang == "en" else "title_zh")
        .rows()
    ]
    return {
        "trial": engine.trial(),
        "version": book_version(),
        "groups": [
            {"kind": kind, "criteria": [one for one in criteria if one["criterion_id"].startswith(kind[0].upper())]}
            for kind in ("inclusion", "exclusion")
        ],
        "judgement": [item for item in items if item.item.is_judgement],
        "judged": [item for item in items if item.said("judged") and not item.item.is_judgement],
        "parameters": list(known_parameters().values()),
        "lists": lists,
        "other_lists": {name: one for name, one in lists.items() if not any(name in item.concepts for item in items)},
        "domains": messages("page.domain.", lang),
        "analytes": measured,
        "drugs": drugs(lang),
        "read_classes": [(name, title) for name, title in messages("class.", lang).items() if name in read],
        "sledai": scored_items("sledai", lang),
        "classification": scored_items("classification", lang),
        "allowed": lambda parameter: allowed(parameter, lang),
        "readers": lambda parameter: ", ".join(item.item.item_id for item in items if parameter in item.parameters),
        "counts": lambda one: ", ".join(f"{system} {count}" for system, count in sorted(one["counts"].items())) + retired(one, lang),
        "attributions": lambda one: (
            ", ".join(str(one["attributions"][name]) for name in ("direct", "possible")) if one["attributions"] else ""
        ),
        "decided": lambda row: decided(row, lang, lists, measured),
        "is_of_site": values is not None,
        "value": lambda name: (values or {}).get(name, known_parameters()[name].default),
        "differing": ", ".join(f"{name} = {value}" for name, value in (values or {}).items() if value != known_parameters()[name].default),
        "some": lambda found: {"en": ", ", "zh": "、"}[lang].join(drug["short"] for drug in found) if len(found) <= FEW_DRUGS else "",
        "number": lambda text: f"{float(text):.4g}",
        "span": lambda low, high: f"{low or ''}–{high or ''}" if low or high else "",
        "units": lambda row: ", ".join(f"`{unit}`" for unit in row["units_and_factors"].split("|")) if row["units_and_factors"] else "",
        "limits": lambda row: limits(row, lang),
    }


def cell(text: str) -> str:
    """A text as it may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def allowed(parameter: Parameter, lang: str) -> str:
    """The range of a parameter with its unit, or the words it may be."""
    unit = parameter.unit if lang == "en" else parameter.unit_zh
    return unit if parameter.least is None else f"{parameter.least:g}–{parameter.greatest:g} {unit}"


def retired(code_list: Mapping[str, Any], lang: str) -> str:
    """How many codes of a list are retired; nothing where none is."""
    return f" ({code_list['retired']} {'retired' if lang == 'en' else '已停用'})" if code_list["retired"] else ""


def decided(row: Mapping[str, Any], lang: str, lists: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    """What decides an item of SLEDAI-2K or of the classification: results with their limit and unit, codes, or a chart review alone."""
    ways = []
    for analyte in filter(None, row["analytes"]):
        unit = measured[analyte]["canonical_unit"] or ""
        limit = f"{row['threshold']} {unit}".strip() if row["threshold"] else ""
        ways.append(MANNER[lang][row["comparison"]].format(measured[analyte]["title"], limit))
    if row.get("is_same_day") == "true":
        ways.append(SAME_DAY[lang])
    if row["needed"]:
        ways.append(ABSENT_NEEDS[lang].format(", ".join(measured[name]["title"] for name in row["needed"].split("|"))))
    if "coded" in row["kind"]:
        counted = lists[row["item_id"]]["attributions"]
        ways.append(CODED[lang].format(", ".join(f"{name} {counted[name]}" for name in ("direct", "possible") if counted[name])))
    if row.get("confounder"):
        ways.append(DOUBTED[lang].format(lists[row["confounder"]]["title"]))
    return "; ".join(ways) or ONLY_CHART[lang]


def limits(row: Mapping[str, Any], lang: str) -> str:
    """The default limits of normal of an analyte; nothing where it has none."""
    parts = [f"≥ {row['default_low']}" if row["default_low"] else "", f"≤ {row['default_high']}" if row["default_high"] else ""]
    men = f" ({DEFAULT_FOR_MEN[lang]} ≤ {row['default_high_male']})" if row["default_high_male"] else ""
    return ", ".join(filter(None, parts)) + men


def main() -> None:
    """Write the book in both languages."""
    for lang, path in BOOKS.items():
        path.write_text(book(lang), encoding="utf-8")
    print(f"{', '.join(path.name for path in BOOKS.values())}: {len(engine.protocol_items())} items, version {book_version()}")


if __name__ == "__main__":
    main()
