"""The funnel as a figure: for each criterion who is left, who fails it (and it alone), who is undecided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from transforms.publish.charts import Drawing

LINE, BAR = 17, 10  # pixels between rows, of a bar
TITLE_AT, BESIDE = 36, 4
WIDTH = 1000
PANELS = {"remaining": (340, 270, "#7c93ab"), "failed": (665, 130, "#e6aca7"), "unknown": (850, 110, "#e0c078")}  # left, width, colour
ALONE = "#9c1c16"
Row = Mapping[str, str | None]


def funnel_chart(rows: Sequence[Row], say: Callable[..., str]) -> Drawing:
    """The rows of funnel.csv from the cohort on, one line each. A hidden count (``<5``) is written and not drawn."""
    figure = Drawing(WIDTH, LINE * (len(rows) + 1))
    for panel, (left, _, _) in PANELS.items():
        figure.text(left, baseline(0), say(f"page.report.funnel.{panel}"), "strong")
    for line, row in enumerate(rows, start=1):
        figure.text(0, baseline(line), row["item_id"] or "")
        figure.text(TITLE_AT, baseline(line), row["title"] or "")
    for panel, (left, width, colour) in PANELS.items():
        scale = width / max(1, *(drawable(row[panel]) for row in rows))
        for line, row in enumerate(rows, start=1):
            top = LINE * line + (LINE - BAR) / 2
            end = left + scale * drawable(row[panel])
            said = row[panel] or ""
            if end > left:
                figure.band(left, end, top, top + BAR, colour)
            if panel == "failed" and row["only_failing_here"] not in (None, "0"):
                said += f" ({row['only_failing_here']})"
                if alone := drawable(row["only_failing_here"]):
                    figure.band(left, left + scale * alone, top, top + BAR, ALONE)
            figure.text(end + BESIDE, baseline(line), said)
    return figure


def baseline(line: int) -> float:
    """Where the words of a line stand."""
    return LINE * line + LINE / 2 + 4


def drawable(count: str | None) -> int:
    """A count that may be drawn: a hidden one, or none, is 0."""
    return int(count) if count and count.isdigit() else 0
