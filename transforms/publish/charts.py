"""Figures as inline SVG: marks drawn by Altair, in pixels and without any text.

Measuring text, Chinese above all, is nearly all that a chart costs, and a browser lays text out by itself: so whoever draws reckons the
scales, and the page's template writes the words into the figure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

INK, SOFT = "#1c2733", "#51606d"
LAYERS = ("grid", "bands", "rules", "dashes", "lines", "points")
SPOKEN = re.compile(r' (?:role|class|aria-[a-z]+|pointer-events|stroke-miterlimit)="[^"]*"')


@dataclass(frozen=True)
class Text:
    """A word of a figure: its place in pixels, what it says, its look (a class of the style) and where it is anchored."""

    x: float
    y: float
    says: str
    look: str
    anchor: str


@dataclass
class Drawing:
    """The marks and words of one figure, in pixels from its top left corner."""

    width: float
    height: float = 0
    marks: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {layer: [] for layer in LAYERS})
    texts: list[Text] = field(default_factory=list)

    def band(self, x: float, x2: float, y: float, y2: float, fill: str, opacity: float = 1) -> None:
        """A rectangle."""
        self.marks["bands"].append({"x": px(x), "x2": px(x2), "y": px(y), "y2": px(y2), "fill": fill, "opacity": opacity})

    def rule(self, x: float, x2: float, y: float, y2: float, stroke: str, width: float = 1, *, layer: str = "rules") -> None:
        """A straight line; ``layer``: grid (behind everything), rules or dashes."""
        self.marks[layer].append({"x": px(x), "x2": px(x2), "y": px(y), "y2": px(y2), "stroke": stroke, "width": width})

    def line(self, name: str, points: list[tuple[float, float]]) -> None:
        """A line through points; ``name`` is its own."""
        self.marks["lines"] += [{"x": px(x), "y": px(y), "name": name} for x, y in points]

    def point(self, x: float, y: float, shape: str, fill: str) -> None:
        """A point."""
        self.marks["points"].append({"x": px(x), "y": px(y), "shape": shape, "fill": fill})

    def text(self, x: float, y: float, says: str, look: str = "", anchor: str = "start") -> None:
        """A word."""
        self.texts.append(Text(px(x), px(y), says, look, anchor))

    def svg(self) -> str:
        """The marks as SVG elements, without an outer element and without roles, labels or classes."""
        import vl_convert

        spec = template() | {"width": self.width, "height": self.height}
        spec["data"] = [data | {"values": self.marks[data["name"]]} if data["name"] in self.marks else data for data in spec["data"]]
        whole = vl_convert.vega_to_svg(spec)
        return SPOKEN.sub("", whole[whole.index(">") + 1 : whole.rindex("</svg>")])


def px(number: float) -> float:
    """Pixels to one decimal."""
    return round(number, 1)


@cache
def template() -> dict[str, Any]:
    """The layers as a Vega specification without data, compiled from Altair once a run."""
    import altair
    import vl_convert

    x, y = altair.X("x:Q", scale=None, axis=None), altair.Y("y:Q", scale=None, axis=None)
    between = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    fill, stroke = altair.Fill("fill:N", scale=None), altair.Stroke("stroke:N", scale=None)
    width, opacity = altair.StrokeWidth("width:Q", scale=None), altair.FillOpacity("opacity:Q", scale=None)
    grid, bands, rules, dashes, lines, points = (altair.Chart(altair.NamedData(layer)) for layer in LAYERS)
    chart = altair.layer(
        grid.mark_rule(aria=False).encode(**between, stroke=stroke, strokeWidth=width),
        bands.mark_rect(aria=False).encode(**between, fill=fill, fillOpacity=opacity),
        rules.mark_rule(aria=False).encode(**between, stroke=stroke, strokeWidth=width),
        dashes.mark_rule(aria=False, strokeDash=[4, 3]).encode(**between, stroke=stroke, strokeWidth=width),
        lines.mark_line(aria=False, stroke=SOFT, strokeWidth=1).encode(x=x, y=y, detail="name:N"),
        points.mark_point(aria=False, size=24, stroke=INK, strokeWidth=1, opacity=1).encode(
            x=x, y=y, fill=fill, shape=altair.Shape("shape:N", scale=None)
        ),
        background="transparent",
    ).configure_view(stroke=None)
    spec = chart.to_dict(validate=False) | {"datasets": {layer: [] for layer in LAYERS}, "padding": 0, "autosize": "none"}
    return dict(vl_convert.vegalite_to_vega(spec))
