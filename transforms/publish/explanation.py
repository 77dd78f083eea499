"""A patient in the terminal: the whole of the dossier in short, or one item with every row that it considered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rules import engine
from rules.book_facts import BookItem
from rules.version import book_version
from transforms.errors import UsageError
from transforms.publish.considered import Considered, considered, other_rows, scores_of
from transforms.publish.patient_run import PatientRun, Row, patient_run

CODED = ("diagnoses", "procedures", "immunizations")
COLOURS = {"pass": "green", "fail": "red", "review": "yellow", "unknown": "blue"}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
ROWS_IN_SHORT = 1
DOSES_IN_SHORT = 6
WIDEST = 120
IN_COLUMNS = 110  # what a line must hold for the rows considered to stand in columns


def explain(out: Path, patient_id: str, item: str | None = None) -> None:
    """Print a patient's verdicts with reasons and rows, scores, doses and drugs; or one item or criterion with every row considered.

    UsageError: no such run, patient or item.
    """
    patient = patient_run(out, patient_id)
    console = Console()
    console.width = min(console.width, WIDEST)
    parts = list(whole(patient) if item is None else one_item(patient, item, console.width))
    show(console, parts)


def show(console: Console, parts: list[RenderableType]) -> None:
    """Print to standard output; in a pipe without colours and without blanks at line ends."""
    with console.capture() as captured:
        for part in parts:
            console.print(part, highlight=False)
    text = captured.get()
    print("\n".join(line.rstrip() for line in text.splitlines()) if not console.is_terminal else text.rstrip("\n"))


def whole(patient: PatientRun) -> Iterable[RenderableType]:
    """The patient on a page: facts, to do, verdicts in protocol order, SLEDAI-2K, classification, doses and drugs."""
    say = patient.say
    yield from heading(patient)
    if patient.steps:
        yield title(say("page.dossier.to_do"))
        yield lines((f"{step['step_no']}.", f"{step['text']} [{' '.join(step['item_ids'])}]") for step in patient.steps)
    for kind in ("inclusion", "exclusion"):
        yield title(say(f"page.dossier.{kind}"))
        yield verdict_lines(patient, [row for row in patient.verdicts if row["item_id"].startswith(kind[0].upper())])
    for scheme in ("sledai", "classification"):
        yield title(say(f"page.dossier.{scheme}"))
        yield from scores(patient, scheme)
    yield title(say("page.explain.doses"))
    yield from doses(patient)
    yield title(say("page.explain.drugs"))
    yield from drugs(patient)


def heading(patient: PatientRun) -> Iterable[RenderableType]:
    """Who, when, and where on the list."""
    say, features, listed = patient.say, patient.features, patient.listed
    yield words(f"{patient.patient_id}  {say('page.day_d', features['as_of'])}", "bold")
    place = say("page.dossier.rank", listed["rank"]) if listed else say("page.explain.not_listed")
    facts = [
        f"{say('page.tier.' + features['tier'])}, {place}",
        say("page.explain.expected_pass", f"{features['expected_pass']:.3g}"),
        say("page.explain.next_date", listed["next_date"]) if listed and listed["next_date"] else None,
        say("page.explain.sex_age", say("page.sex." + features["sex"]), span(features["age_low"], features["age_high"])),
        say("page.explain.weight", f"{features['weight_kg']:.3g}") if features["weight_kg"] else None,
        say("page.explain.last_record", listed["last_record_date"]) if listed and listed["last_record_date"] else None,
        say("page.explain.disposition", say(f"page.disposition.{listed['disposition']}")) if listed and listed["disposition"] else None,
    ]
    yield words(" · ".join(fact for fact in facts if fact))
    if (made_by := patient.record["versions"].get("book")) != book_version():
        yield Text(say("page.explain.other_rules", made_by or "?", book_version()), style="yellow")


def verdict_lines(patient: PatientRun, rows: list[Row]) -> Table:
    """A line per item: verdict, why, and the newest row behind it."""
    grid = columns(6, 8)
    for row in rows:
        is_whole = row["item_id"] == row["criterion_id"] and sum(r["criterion_id"] == row["item_id"] for r in rows) > 1
        says_itself = not is_whole or any(
            ref.startswith("chart_reviews:") and row["item_id"] in patient.by_ref.get(ref, {}).get("names", []) for ref in row["evidence"]
        )
        grid.add_row(
            row["item_id"],
            Text(patient.say(f"page.verdict.{row['verdict']}"), style=COLOURS[row["verdict"]]),
            words(told(patient, row)) if says_itself else Text(patient.titles[row["item_id"]], style="dim"),
        )
        if says_itself:
            for line in cited(patient, row["evidence"]):
                grid.add_row("", "", words(line, "dim"))
    return grid


def told(patient: PatientRun, row: Row) -> str:
    """The reason of a verdict, what it lacks or the kind of its fail, and the day on which that is over."""
    aside = [
        patient.say(f"page.reason.{row['reason_code']}") if row["reason_code"] not in (None, "judgement") else "",
        patient.say(f"page.fail_kind.{row['fail_kind']}") if row["fail_kind"] else "",
        patient.say("page.explain.next_date", row["next_date"]) if row["next_date"] else "",
    ]
    said = ", ".join(part for part in aside if part)
    return (row["reason"] or "") + (f" [{said}]" if said else "")


def cited(patient: PatientRun, refs: list[str], count: int = ROWS_IN_SHORT) -> list[str]:
    """The newest rows behind a verdict or a state: date, as it came, row id; and how many more there are."""
    found = []
    for ref in refs[:count]:
        event = patient.by_ref.get(ref)
        found.append(f"{event['event_date'] or ''} {as_it_came(patient, event)}  {ref}".strip() if event else ref)
    if len(refs) > count and found:
        found[-1] += f"  (+{len(refs) - count})"
    return found


def scores(patient: PatientRun, scheme: str) -> Iterable[RenderableType]:
    """The bounds of a score, and its items by state; those present, or to be judged, with the row behind them."""
    say, features = patient.say, patient.features
    low, high = ("sledai_low", "sledai_high") if scheme == "sledai" else ("class_low", "class_high")
    recorded = features["sledai_recorded"] if scheme == "sledai" else None
    yield Text(
        say("page.explain.points", features[low], features[high])
        + (f" · {say('page.explain.recorded', recorded)}" if recorded is not None else "")
    )
    rows = [row for row in patient.descriptors if row["item_id"].startswith("S") == (scheme == "sledai")]
    grid = columns(9)
    for state in ("present", "unknown", "absent"):
        several = []
        for row in (row for row in rows if row["state"] == state):
            name = f"{row['item_id']} {say('item.' + row['item_id'])} {row['weight']}"
            reason = f" [{say('page.reason.' + row['reason_code'])}]" if row["reason_code"] not in (None, "missing_data") else ""
            if state == "present" or reason:
                grid.add_row(say(f"page.state.{state}"), Text(name + reason))
                for line in cited(patient, row["evidence"]):
                    grid.add_row("", words(line, "dim"))
            else:
                several.append(name)
        if several:
            grid.add_row(say(f"page.state.{state}"), Text(" · ".join(several)))
    yield grid


def doses(patient: PatientRun) -> Iterable[RenderableType]:
    """The last runs of days with the same glucocorticoid dose, newest first."""
    runs = patient.doses[::-1]
    if not any(run["systemic_high"] is None or run["systemic_high"] > 0 for run in runs):
        yield Text(patient.say("page.explain.no_doses"))
        return
    yield Text(patient.say("page.explain.doses_note"))
    yield lines(
        (
            f"{run['start_date']} – {run['end_date']}",
            patient.say("page.explain.dose", *(span(run[f"{way}_low"], run[f"{way}_high"]) for way in ("oral", "systemic"))),
        )
        for run in runs[:DOSES_IN_SHORT]
    )
    if len(runs) > DOSES_IN_SHORT:
        yield Text(patient.say("page.explain.more_doses", len(runs) - DOSES_IN_SHORT), style="dim")


def drugs(patient: PatientRun) -> Iterable[RenderableType]:
    """The listed immunosuppressants and biologics ever taken, the current ones with a star, each with its newest row."""
    say = patient.say
    for kind in ("immunosuppressant", "biologic"):
        names = [name for name in (patient.features[f"{kind}s"] or "").split("; ") if name]
        grid = columns(2)
        for name in names:
            ingredient = name.removesuffix("*")
            rows = [e for e in patient.by_ref.values() if e["table"] == "medications" and e["state"] == "used" and ingredient in e["names"]]
            newest = max(rows, key=lambda event: (event["event_date"], event["row_id"]), default=None)
            since = f", {say('page.explain.since', min(row['event_date'] for row in rows))}" if rows else ""
            grid.add_row("*" if name.endswith("*") else "", Text(ingredient + since))
            for line in cited(patient, [f"medications:{newest['row_id']}"] if newest else []):
                grid.add_row("", words(line, "dim"))
        yield Text(say(f"class.{kind}") + ("" if names else f": {say('page.explain.none')}"))
        if names:
            yield grid


def one_item(patient: PatientRun, wanted: str, width: int) -> Iterable[RenderableType]:
    """One item, or each item of a criterion: how it is read, its verdict, and every row that it considered. UsageError: no such item."""
    rows = [row for row in patient.verdicts if wanted.upper() in (row["item_id"].upper(), row["criterion_id"].upper())]
    if not rows:
        raise UsageError(f"item {wanted}: no such item; items are I01 to E20, parts such as I08a")
    items = {item.item_id: item for item in engine.items()}
    yield from heading(patient)
    for row in rows:
        yield Text("")
        head = Text(f"{row['item_id']} {patient.titles[row['item_id']]}: ", style="bold")
        yield head.append(patient.say(f"page.verdict.{row['verdict']}"), style=COLOURS[row["verdict"]])
        yield facts_of(patient, row, items.get(row["item_id"]))
        if row["item_id"] in items:
            item = items[row["item_id"]]
            rows_read = considered(item, patient.events, row["evidence"], patient.frame, row["basis"])
            yield from considered_rows(patient, item, rows_read, width)
            yield from others(patient, other_rows(item, patient.events, rows_read))


def facts_of(patient: PatientRun, row: Row, item: engine.Item | None) -> Table:
    """Reason and basis of a verdict, and for an item how it is read and by which parameters."""
    say = patient.say
    facts = [(say("page.explain.why"), told(patient, row)), (say("page.explain.basis"), say(f"page.explain.basis.{row['basis']}"))]
    if item is not None:
        book = BookItem(item, patient.lang)
        values = [f"P:{p.name} = {patient.record['parameters'][p.name]}" for p in book.parameters]
        facts += [
            (say("page.explain.reading"), book.said("reading")),
            (say("page.explain.caveats"), book.said("caveats")),
            (say("page.explain.judged"), book.said("judged")),
            (say("page.explain.parameters"), ", ".join(values)),
        ]
    return lines((name, value) for name, value in facts if value)


def considered_rows(patient: PatientRun, item: engine.Item, rows: list[Considered], width: int) -> Iterable[RenderableType]:
    """Every row considered: date, as it came, what became of it, row id; a mark before those that decide."""
    if not rows:
        yield Text(patient.say("page.explain.no_rows"))
        return
    yield Text(patient.say("page.explain.rows", len(rows), sum(row.decides for row in rows)))
    grid = columns(1, 10, rest=(5, 4, 3) if width >= IN_COLUMNS else (1,))
    for row in rows:
        event = row.event
        came, why, ref = as_it_came(patient, event), why_of(patient, row), f"{event['table']}:{event['row_id']}"
        items = scores_of(item, row.names)
        read_as = [*items, *(name for name in row.names if event["table"] in CODED and name not in items)]
        came += f" [{', '.join(read_as)}]" if read_as else ""
        texts = [words(came), words(why, "" if row.decides else "dim"), words(ref, "dim")]
        grid.add_row("●" if row.decides else "", str(event["event_date"] or ""), *(texts if width >= IN_COLUMNS else texts[:1]))
        if width < IN_COLUMNS:
            grid.add_row("", "", texts[1].append("  ").append_text(texts[2]))
    yield grid


def others(patient: PatientRun, by_table: Mapping[str, list[Mapping[str, Any]]]) -> Iterable[RenderableType]:
    """What else the tables hold in which no row may be read as "no": how many rows, how new, and how many that no list knows."""
    for table, events in by_table.items():
        name = patient.say(f"table.{table}")
        if table not in patient.record["tables"]:
            yield Text(patient.say("page.explain.no_table", name))
        elif events:
            newest = max((event["known_date"] for event in events if event["known_date"]), default="?")
            unmapped = sum(event["state"] == "unmapped" for event in events)
            yield Text(patient.say("page.explain.other_rows", name, len(events), newest, unmapped))
        else:
            yield Text(patient.say("page.explain.no_other_rows", name))


def why_of(patient: PatientRun, row: Considered) -> str:
    """Why a row does or does not decide; what became of it where that is more than being read, and the cause."""
    ref, state = f"{row.event['table']}:{row.event['row_id']}", row.event["state"]
    said = [patient.say(f"page.explain.row.{row.why}", row.window_start)]
    if row.decides and state != "used":
        said.append(patient.say(f"page.explain.row.{state}"))
    if state in ("quarantined", "unusable") and ref in patient.causes:
        said.append(patient.say("page.cause." + patient.causes[ref]))
    return ": ".join(said)


def as_it_came(patient: PatientRun, event: Mapping[str, Any]) -> str:
    """A row as it came, and what was measured where it says so by a code alone."""
    says_code_alone = event["table"] == "observations" or event["reported"].startswith("LOINC ")
    measured = [patient.words[f"analyte.{name}"] for name in event["names"] if says_code_alone and f"analyte.{name}" in patient.words]
    return str(event["reported"]) + (f" ({', '.join(measured)})" if measured else "")


def title(text: str) -> Padding:
    """The title of a part."""
    return Padding(Text(text, style="bold underline"), (1, 0, 0, 0))


def columns(*widths: int, rest: tuple[int, ...] = (1,)) -> Table:
    """Columns without lines: some of these widths, and others that share the rest."""
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    for width in widths:
        grid.add_column(width=width, no_wrap=True)
    for share in rest:
        grid.add_column(ratio=share, overflow="fold")
    return grid


def lines(pairs: Iterable[tuple[str, str]]) -> Table:
    """Pairs of a name and a text, the names as wide as they need."""
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for name, text in pairs:
        grid.add_row(name, words(text))
    return grid


def words(text: str, style: str = "") -> Text:
    """Text that came from outside: no markup in it, and no control character reaches the terminal."""
    return Text(CONTROL.sub("\ufffd", text), style=style)


def span(low: Any, high: Any) -> str:
    """Bounds as one number where they are equal; ``?`` for one that is not known."""
    shown = [f"{value:g}" if value is not None else "?" for value in (low, high)]
    return shown[0] if low == high else "–".join(shown)
