"""report.html: a run on one page, made of the files that the run publishes and of its record, so that it says what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from rules.parameters import known_parameters
from transforms.publish.funnel_chart import funnel_chart
from transforms.publish.pages import environment, speaker
from transforms.publish.tables import read_csv

TIERS = ("ready", "check", "watch")
MOVES = ("new", "up", "down", "same")
DECIDED_BY = ("by_data", "by_chart", "by_absence", "not_applicable")
UNUSABLE = ("unparsed", "unit_missing", "unit_unknown", "implausible")
WORDS_SHOWN = 20  # of those that mapped to nothing; all are in unmapped.csv
Row = dict[str, Any]


def write_report(con: duckdb.DuckDBPyConnection, folder: Path, record: Mapping[str, Any]) -> None:
    """Write report.html into the run's folder, after its other files; ``record``: what run.json will hold."""
    from markupsafe import Markup

    words = dict(con.sql("select key, text from run.messages").fetchall())
    lang = record["settings"]["lang"]
    templates = environment(words)
    templates.filters["thousands"] = thousands
    template = templates.get_template("report.html")
    by_tier = tiers(folder)
    listed = [row for rows in by_tier.values() for row in rows]
    changes = changed(folder, listed)
    funnel = read_csv(folder / "funnel.csv") or []
    figure = funnel_chart([row for row in funnel if row["step"] != "0"], speaker(words))
    page = template.render(
        record=record,
        tiers=by_tier,
        moves={change: sum(row["change"] == change for row in listed) for change in MOVES} | {"left": len(changes["left"])},
        changes=changes,
        is_compared=(folder / "changes.csv").exists() and not record.get("not_compared"),
        not_compared=record.get("not_compared", []),
        titles=item_titles(con, words, lang),
        parts_decided=DECIDED_BY,
        funnel=funnel,
        figure=figure,
        marks=Markup(figure.svg()),
        completeness=completeness(folder),
        quality=quality(folder, record),
        parameters=differing(record["parameters"], lang),
        word=lambda prefix, key: words.get(f"{prefix}.{key}", key),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def tiers(folder: Path) -> dict[str, list[Row]]:
    """The rows of candidates.csv by tier in rank order, each with its lists taken apart and ``page``, its dossier, where there is one."""
    written = {path.name for path in (folder / "patients").glob("*.html")}
    steps = pl.read_parquet(folder / "steps.parquet").group_by("patient_id", maintain_order=True).agg("text")
    to_do = dict(steps.iter_rows())
    by_tier: dict[str, list[Row]] = {tier: [] for tier in TIERS}
    for row in read_csv(folder / "candidates.csv") or []:
        name = f"{int(row['rank'] or 0):04}.html"
        by_tier[row["tier"] or ""].append(
            row
            | {"page": f"patients/{name}" if name in written else None}
            | {column: grouped(_parts(row[column])) for column in ("failing", "to_review", "unknown")}
            | {"to_do": to_do.get(row["patient_id"], []), "chance": _chance(row["expected_pass"]), "activity": _activity(row)}
            | {"drugs": [d[:-1] for c in ("immunosuppressants", "biologics") for d in _parts(row[c]) if d.endswith("*")]}
        )
    return by_tier


def grouped(item_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Item ids as they are shown, each as (id to explain, text): three and more of a criterion in a row become one, I08a–d."""
    runs: list[list[str]] = []
    for item in item_ids:
        follows = runs and item[:3] == runs[-1][-1][:3] and item[3:] and ord(item[3:]) == ord(runs[-1][-1][3:]) + 1
        if follows:
            runs[-1].append(item)
        else:
            runs.append([item])
    shown: list[tuple[str, str]] = []
    for run in runs:
        shown += [(run[0][:3], f"{run[0]}–{run[-1][3:]}")] if len(run) > 2 else [(item, item) for item in run]
    return shown


def changed(folder: Path, listed: Sequence[Row]) -> dict[str, list[Row]]:
    """The patients of changes.csv: who left the list, whose tier changed or who came, the others; each with its ``lines``."""
    ranked = {row["patient_id"]: row for row in listed}
    patients: dict[str, Row] = {}
    for line in read_csv(folder / "changes.csv") or []:
        name = line["patient_id"] or ""
        now = ranked.get(name, {"rank": None, "page": None})
        patients.setdefault(name, now | {"patient_id": name, "from": line["from_tier"], "to": line["to_tier"], "lines": []})
        patients[name]["lines"].append(line)
    kinds: dict[str, list[Row]] = {"left": [], "moved": [], "within": []}
    for patient in sorted(patients.values(), key=lambda row: (int(row["rank"] or 0), row["patient_id"])):
        kind = "left" if not patient["rank"] else "within" if patient["from"] == patient["to"] else "moved"
        kinds[kind].append(patient)
    return kinds


def item_titles(con: duckdb.DuckDBPyConnection, words: Mapping[str, str], lang: str) -> dict[str, str]:
    """Item or criterion -> its title in the run's language."""
    title = "title_zh" if lang == "zh" else "title"
    criteria = {key.removeprefix("criterion."): text for key, text in words.items() if key.startswith("criterion.")}
    return criteria | dict(con.sql(f"select item_id, {title} from run.items order by position").fetchall())


def completeness(folder: Path) -> list[Row] | None:
    """The rows of completeness.csv with ``shares`` (percent by what decides it; None where hidden) and ``causes`` of the undecided."""
    rows = read_csv(folder / "completeness.csv")
    if rows is None:
        return None
    not_causes = {"item_id", "title", "patients", "pass", "fail", "review", "unknown", *DECIDED_BY}
    return [
        row
        | {"shares": {part: _percent(row[part], row["patients"]) for part in DECIDED_BY}}
        | {"causes": {cause: count for cause, count in row.items() if cause not in not_causes and count not in (None, "", "0")}}
        for row in rows
    ]


def quality(folder: Path, record: Mapping[str, Any]) -> Row:
    """What the contract and the readers could not use: tables with causes, expectations that failed, values, words."""
    unusable = (
        pl.scan_parquet(folder / "rejects.parquet")
        .filter(pl.col("cause").is_in(UNUSABLE))
        .group_by("table", "cause")
        .len("rows")
        .sort("rows", "table", "cause", descending=[True, False, False])
        .collect()
    )
    words = read_csv(folder / "unmapped.csv") or []
    words.sort(key=lambda row: -int(row["rows"] or 0))
    expectations = record["contract"]
    return {
        "expectations": len(expectations),
        "held": sum(result["success"] for result in expectations),
        "unusable": unusable.to_dicts(),
        "words": words[:WORDS_SHOWN],
        "words_in_all": len(words),
        "not_mapped": [(table, reason, rows) for table, reasons in record["not_mapped"].items() for reason, rows in reasons.items()],
    }


def differing(values: Mapping[str, str], lang: str) -> list[Row]:
    """The parameters in force that differ from the defaults."""
    return [
        {"name": name, "value": values[name], "default": p.default, "meaning": p.meaning_zh if lang == "zh" else p.meaning}
        for name, p in known_parameters().items()
        if values[name] != p.default
    ]


def thousands(count: int | str) -> str:
    """A count with commas; a hidden one as it is."""
    return f"{int(count):,}" if str(count).isdigit() else str(count)


def _parts(cell: str | None) -> list[str]:
    return cell.split("; ") if cell else []


def _chance(share: str | None) -> str:
    number = float(share or 0)
    return f"{number:.2f}" if number == 0 or number >= 0.005 else "<0.01"


def _activity(row: Mapping[str, str | None]) -> str:
    return row["sledai_recorded"] or f"{row['sledai_low']}–{row['sledai_high']}"


def _percent(count: str | None, of: str | None) -> float | None:
    if not (count and of and count.isdigit() and of.isdigit() and int(of)):
        return None
    return 100 * int(count) / int(of)
