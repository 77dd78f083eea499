"""The funnel as a figure: for each criterion who is left, who fails it (and it alone), who is undecided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

LINE = 17  # pixels between rows
TITLE_AT = 36
PANELS = {"remaining": (340, 270, "#7c93ab"), "failed": (665, 130, "#e6aca7"), "unknown": (850, 110, "#e0c078")}  # left, width, colour
WIDTH = 1000
ALONE = "#9c1c16"


def funnel_chart(funnel: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> Markup:
    """An inline SVG of the rows of funnel.csv from the cohort on.

    A hidden count (``<5``) is written and not drawn. Everything is placed in pixels, so that no text needs measuring: fonts differ.
    """
    import altair as alt
    import vl_convert

    bars, texts = marks([row for row in funnel if row["step"] != "0"], words)
    x, y = alt.X("x:Q", scale=None, axis=None), alt.Y("y:Q", scale=None, axis=None)
    drawn = alt.Chart(alt.InlineData(values=bars)).mark_rect(height=10).encode(x=x, x2="end", y=y, color=alt.Color("colour:N", scale=None))
    written = alt.Chart(alt.InlineData(values=texts)).mark_text(align="left", baseline="middle", fontSize=11, color="#1c2733")
    chart = alt.layer(drawn, written.encode(x=x, y=y, text="text:N"))
    chart = chart.properties(width=WIDTH, height=LINE * len(funnel)).configure(aria=False, padding=2).configure_view(stroke=None)
    return Markup(vl_convert.vegalite_to_svg(chart.to_dict(validate=False)))


def marks(rows: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The bars (x, end, y, colour) and the texts (x, y, text) of the figure, in pixels."""
    bars, texts = [], []
    for panel, (left, _, _) in PANELS.items():
        texts.append({"x": left, "y": LINE / 2, "text": words[f"page.report.funnel.{panel}"]})
    for place, row in enumerate(rows, start=1):
        y = LINE * place + LINE / 2
        texts += [{"x": 0, "y": y, "text": row["item_id"] or ""}, {"x": TITLE_AT, "y": y, "text": row["title"]}]
        for panel, (left, width, colour) in PANELS.items():
            greatest = max((drawable(r[panel]) for r in rows), default=0)
            length = width * drawable(row[panel]) / greatest if greatest else 0.0
            if length:
                bars.append({"x": left, "end": left + length, "y": y, "colour": colour})
            label = row[panel] or ""
            if panel == "failed" and row["only_failing_here"] not in (None, "0"):
                label += f" ({row['only_failing_here']})"
                alone = width * drawable(row["only_failing_here"]) / greatest if greatest else 0.0
                if alone:
                    bars.append({"x": left, "end": left + alone, "y": y, "colour": ALONE})
            texts.append({"x": left + length + 4, "y": y, "text": label})
    return bars, texts


def drawable(count: str | None) -> int:
    """A count that may be drawn: a hidden one, or none, is 0."""
    return int(count) if count and count.isdigit() else 0
