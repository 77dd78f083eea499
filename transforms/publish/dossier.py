"""Dossiers: a page per candidate with all that was found, why, and in which rows, from the first of the list on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from transforms.publish.tables import read_csv
from transforms.store import load, run_sql

if TYPE_CHECKING:
    from transforms.publish.timeline import Row

PACKAGE = "transforms.publish"
ROWS = {
    "verdicts": "position",
    "scores": "position",
    "rows": "event_date desc nulls last, ref",
    "doses": "first_day",
    "drugs": '"class" desc, ingredient, first_day, last_day',
    "results": "analyte, place",
    "steps": "step_no",
}


def write_dossiers(con: duckdb.DuckDBPyConnection, folder: Path, count: int) -> None:
    """Write patients/NNNN.html (NNNN = rank) into the run's folder for the first ``count`` of its candidates.csv; 0: none."""
    changes = {int(row["rank"] or 0): row["change"] for row in (read_csv(folder / "candidates.csv") or [])[:count]}
    if not changes:
        return
    from markupsafe import Markup

    from transforms.publish.pages import environment, speaker
    from transforms.publish.timeline import Facts, Timeline, bounds, panels

    load(con, "map.timeline_analytes", pl.DataFrame({"analyte": [a for panel in panels() for a in panel.analytes]}))
    con.execute("set variable dossiers = ?", [count])
    run_sql(con, PACKAGE, "dossier.sql")
    words = dict(con.sql("select key, text from run.messages").fetchall())
    page, say = environment(words).get_template("dossier.html"), speaker(words)
    measures = con.sql("select item_id, analyte, threshold from map.item_measures where threshold is not null").fetchall()
    thresholds = {(item, analyte): threshold for item, analyte, threshold in measures}
    titles, meanings = titled(words, "criterion.", "title."), titled(words, "analyte.", "concept.")
    found = {name: by_patient(con, name, order) for name, order in ROWS.items()}
    window = con.sql("select param('sledai_window_days')").fetchall()[0][0]
    (folder / "patients").mkdir()
    for patient in rows_of(con, "from pub.dossier_patients order by rank"):
        of = {name: rows[patient["patient_id"]] for name, rows in found.items()}
        figure = Timeline(Facts(patient, of["doses"], of["drugs"], of["results"], window), thresholds, say)
        text = page.render(
            patient=patient | {"change": changes[patient["rank"]]},
            titles=titles,
            meanings=meanings,
            window=window,
            figure=figure.drawing,
            told=figure.told,
            marks=Markup(figure.drawing.svg()),
            bounds=bounds,
            **{name: of[name] for name in ("steps", "verdicts", "scores", "rows")},
        )
        (folder / "patients" / f"{patient['rank']:04d}.html").write_text(text, encoding="utf-8")


def titled(words: Mapping[str, str], *kinds: str) -> dict[str, str]:
    """Titles of these kinds of things by their ids; a later kind before an earlier one."""
    return {key.removeprefix(kind): text for kind in kinds for key, text in words.items() if key.startswith(kind)}


def by_patient(con: duckdb.DuckDBPyConnection, name: str, order: str) -> dict[str, list[Row]]:
    """The rows of pub.dossier_<name> of each patient, in order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows_of(con, f"from pub.dossier_{name} order by patient_id, {order}"):
        found[row["patient_id"]].append(row)
    return found


def rows_of(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """The rows of a query, by column."""
    answer = con.sql(query)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]
