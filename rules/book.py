"""Prints the criteria book, rules/zm001/README.md, from the headers of the rules, their cases, the parameters and the code lists."""

from __future__ import annotations

import re
from pathlib import Path

from rules import engine
from rules.engine import Item, items, not_evaluated, protocol_items, trial
from rules.parameters import Parameter, known_parameters
from rules.sources import sources as parsed
from transforms.store import csv_frame, resource

BOOK = Path(__file__).parent / "zm001" / "README.md"
PARAMETER = re.compile(r"param\('(\w+)'\)")


def book() -> str:
    """The criteria book as Markdown."""
    about = trial()
    lines = [
        f"# {about['id']}: the criteria book",
        "",
        f"{about['title']} ({about['registry']}), rules of {about['version']}. {about['title_zh']}。",
        "",
        "Printed from the headers of the rule files and their cases by `make book`; do not edit.",
        "Every item ends `pass`, `fail`, `review` or `unknown`, always from the patient's eligibility.",
        "",
        "## Parameters",
        "",
        "| parameter | default | allowed | meaning | 含义 |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {p.name} | {p.default} | {_allowed(p)} | {p.meaning} | {p.meaning_zh} |" for p in known_parameters().values()),
        "",
    ]
    if missing := not_evaluated():
        lines += ["Not evaluated yet: " + ", ".join(missing) + ".", ""]
    criteria = csv_frame(engine.PACKAGE, "criteria.csv")
    for criterion_id, title, title_zh in criteria.iter_rows():
        lines += [f"## {criterion_id} {title} {title_zh}", ""]
        own = [item for item in items() if item.criterion_id == criterion_id]
        for item in own:
            lines += _item(item, is_alone=item.item_id == criterion_id)
        if not own:
            lines += ["Not evaluated yet.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _allowed(parameter: Parameter) -> str:
    return parameter.unit if parameter.least is None else f"{parameter.least:g}–{parameter.greatest:g} {parameter.unit}"


def _item(item: Item, *, is_alone: bool) -> list[str]:
    header = item.header
    lines = [] if is_alone else [f"### {item.item_id} {header['title']} {header['title_zh']}", ""]
    lines += [f"*{header['kind']}*" + (f"; a fail is {header['on_fail']}" if header["on_fail"] else "")]
    lines[-1] += "; left to the investigator's judgement." if item.is_judgement else "."
    lines += ["", f"**Reading.** {header['reading']}", "", f"**Caveats.** {header['caveats']}", ""]
    used = sorted(set(PARAMETER.findall(item.sql)))
    facts = [f"rule `criteria/{item.file}`", f"sources: {header['sources']}"]
    if used:
        facts.append("parameters: " + ", ".join(f"P:{name} = {known_parameters()[name].default}" for name in used))
    facts += [f"{concept}: {count} codes" for concept, count in _code_counts(header["sources"])]
    lines += [" · ".join(facts), ""]
    cases = resource(engine.PACKAGE, "criteria", item.file.replace(".sql", ".cases.md"))
    if cases.is_file():
        count = sum(len(block.splitlines()) - 2 for block in re.findall(r"^expect\n((?:\|.*\n)+)", cases.read_text(encoding="utf-8"), re.M))
        lines += [f"[{count} cases](criteria/{cases.name})", ""]
    return lines


def _code_counts(sources: str) -> list[tuple[str, int]]:
    names = [name for source in parsed(sources) if source.kind == "concept" for name in source.names]
    return [(name, csv_frame("transforms", "codelists", f"{name}.csv").height) for name in names]


def main() -> None:
    """Write the book."""
    BOOK.write_text(book(), encoding="utf-8")
    print(f"{BOOK.name}: {len(protocol_items())} items")


if __name__ == "__main__":
    main()
