"""A dossier's timeline: doses, drugs, SLEDAI-2K and key results of the 365 days to day D, on one axis of days."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import accumulate, groupby
from math import floor, log1p, log10
from typing import Any
from unicodedata import east_asian_width

from transforms.publish.charts import INK, SOFT, Drawing
from transforms.store import csv_frame

FIRST_DAY, DAYS = -364, 365
LEFT, RIGHT, WIDTH, BESIDE = 208.0, 616.0, 740.0, 622.0
GRID, LIMIT = "#dfe5eb", "#9c1c16"
ORAL, SYSTEMIC, FAINT = "#1d4e89", "#aab5c0", "#c9d1d9"
DRUGS = {"immunosuppressant": "#24756e", "biologic": "#7a4fa3"}
WHITE = "#ffffff"
SHAPES = {None: "circle", "below": "triangle-down", "above": "triangle-up"}
SAID = {"positive": INK, "negative": WHITE, "equivocal": SYSTEMIC}
Row = dict[str, Any]
Words = Callable[..., str]


@dataclass(frozen=True)
class Panel:
    """A panel: what it shows, its limits, its height in pixels and its scale.

    The scale runs from ``least`` to ``most`` or as far as the data; with a ``bend`` it is logarithmic far above it, else linear. Limits are
    numbers with the item that sets each (``80@I08a``), the threshold of a scored item (``S13``), or the ``lower`` limit of normal of the
    latest result; values in multiples of their ``upper`` one have it at 1.
    """

    name: str
    analytes: tuple[str, ...]
    limits: tuple[str, ...]
    height: float
    bend: float | None
    least: float
    most: float


@dataclass(frozen=True)
class Facts:
    """What one patient's figure shows: rows of pub.dossier_*."""

    patient: Row
    doses: list[Row]
    drugs: list[Row]
    results: list[Row]
    sledai_window_days: int


@cache
def panels() -> tuple[Panel, ...]:
    """The panels of timeline.csv, top to bottom."""
    rows = csv_frame("transforms.publish", "timeline.csv").fill_null("").iter_rows(named=True)
    return tuple(
        Panel(
            row["panel"],
            tuple(filter(None, row["analytes"].split("|"))),
            tuple(filter(None, row["limits"].split("|"))),
            float(row["height"] or 0),
            float(row["bend"]) if row["bend"] else None,
            float(row["least"] or 0),
            float(row["most"] or 0),
        )
        for row in rows
    )


class Scale:
    """The heights of a panel's values, in pixels; what lies beyond the panel is drawn at its edge."""

    def __init__(self, panel: Panel, top: float, values: Iterable[float]) -> None:
        known = list(values)
        self.bend = panel.bend
        self.least, self.most = min([panel.least, *known]), rounded_up(max([panel.most, *known]))
        self.top, self.bottom = top, top + panel.height

    def __call__(self, value: float) -> float:
        share = (self._bent(value) - self._bent(self.least)) / (self._bent(self.most) - self._bent(self.least))
        return self.bottom - min(max(share, 0), 1) * (self.bottom - self.top)

    def _bent(self, value: float) -> float:
        return log1p(value / self.bend) if self.bend else value


class Timeline:
    """The figure of one patient, and in ``told`` what it says of day D.

    ``thresholds``: those of scored items by item and analyte; ``t`` says a word of the catalogue.
    """

    def __init__(self, facts: Facts, thresholds: dict[tuple[str, str], float], t: Words) -> None:
        self.facts, self.thresholds, self.t = facts, thresholds, t
        self.drawing = Drawing(WIDTH)
        self.told: list[str] = []
        top = 22.0
        drawn = {"glucocorticoid": self.doses, "drugs": self.drugs}
        for panel in panels():
            top = drawn.get(panel.name, self.results)(panel, top) + 16
        self.days(top - 10)
        self.drawing.height = top + 6

    def days(self, bottom: float) -> None:
        """The axis: a thin line for each month, a strong one for day D."""
        day_d: date = self.facts.patient["as_of"]
        first = day_d + timedelta(FIRST_DAY)
        for n in range(12):
            month = date(first.year + (first.month + n) // 12, (first.month + n) % 12 + 1, 1)
            if month < day_d:
                self.drawing.rule(across((month - day_d).days), across((month - day_d).days), 14, bottom, GRID, layer="grid")
                if n % 2 == 0:
                    self.drawing.text(across((month - day_d).days), bottom + 12, f"{month:%Y-%m}", "soft", "middle")
        self.drawing.rule(across(0.5), across(0.5), 12, bottom, INK, 1.5)
        self.drawing.text(RIGHT, 9, self.t("page.day_d", day_d), "strong", "end")

    def doses(self, panel: Panel, top: float) -> float:
        """Glucocorticoids in mg of prednisone-equivalent: the bounds of each day, systemic behind oral."""
        limits, said = self.limits(panel, [])
        kinds = {"systemic": (SYSTEMIC, 5.0), "oral": (ORAL, 1.8)}
        scale = Scale(panel, top, [dose[f"{kind}_{end}"] or 0 for dose in self.facts.doses for kind in kinds for end in ("low", "high")])
        self.heading(scale, panel, limits, said)
        for n, (kind, (colour, width)) in enumerate(kinds.items()):
            before: list[float] = []
            for dose in self.facts.doses:
                x, x2 = across(dose["first_day"]), across(dose["last_day"] + 1)
                low, high = dose[f"{kind}_low"], dose[f"{kind}_high"]
                heights = sorted({scale(low), scale.top if high is None else scale(high)})
                if len(heights) > 1:
                    self.drawing.band(x, x2, heights[0], heights[1], colour, 0.3)
                for y in heights if high is not None else heights[1:]:
                    self.drawing.rule(x, x2, y, y, colour, width)
                if before and len(before) == len(heights) == 1:
                    self.drawing.rule(x, x, before[0], heights[0], colour, width)
                before = heights
            y = top + 58 + 13 * (1 - n)
            self.drawing.rule(0, 16, y - 3.5, y - 3.5, colour, width)
            self.drawing.text(21, y, self.t(f"page.timeline.{kind}"), "soft")
            low, high = (self.facts.patient[f"gc_{kind}_{end}"] for end in ("low", "high"))
            self.beside(panel.name, top + 10 + 28 * (1 - n), bounds(low, high), self.t(f"page.timeline.{kind}"))
        return scale.bottom

    def drugs(self, panel: Panel, top: float) -> float:
        """Listed immunosuppressants and biologics: a bar for each stretch of days covered, a thin one where taken as needed."""
        for kind, colour in DRUGS.items():
            self.drawing.text(0, top + 9, self.t(f"page.timeline.{kind}"), "strong")
            taken = [drug for drug in self.facts.drugs if drug["class"] == kind]
            if not taken:
                self.nothing(top + 9)
            for ingredient, rows in groupby(taken, key=lambda drug: drug["ingredient"]):
                top += 14
                stretches = list(rows)
                for row in stretches:
                    half = 1.0 if row["is_as_needed"] else 4.0
                    self.drawing.band(across(row["first_day"]), across(row["last_day"] + 1), top + 5.5 - half, top + 5.5 + half, colour)
                last = max(row["last_day"] for row in stretches)
                self.drawing.text(10, top + 9, ingredient)
                until = self.t("page.timeline.current") if last == 0 else str(self.facts.patient["as_of"] + timedelta(last))
                self.drawing.text(BESIDE, top + 9, until, "soft")
                self.told.append(f"{ingredient}: {until}")
            top += 19
        return top - 6

    def results(self, panel: Panel, top: float) -> float:
        """A measurement: its results, its limits, and the latest result beside."""
        found = [result for analyte in panel.analytes for result in self.facts.results if result["analyte"] == analyte]
        limits, said = self.limits(panel, found)
        scale = Scale(panel, top, [result["value"] for result in found if result["value"] is not None])
        self.heading(scale, panel, limits, said)
        latest = max(found, key=lambda result: result["day"], default=None)
        if panel.name == "sledai":
            self.sledai(scale)
        elif latest:
            self.beside(panel.name, top + 10, latest["shown"], str(latest["on_date"]))
        if not found:
            self.nothing((scale.top + scale.bottom) / 2 + 3)
        for analyte, rows in groupby(found, key=lambda result: result["analyte"]):
            placed = [(across(row["day"] + 0.5), height_of(row, scale), row) for row in rows]
            self.drawing.line(analyte, [(x, y) for x, y, row in placed if row["value"] is not None])
            for x, y, row in placed:
                shape = SHAPES[row["side"]] if analyte == panel.analytes[0] else "square"
                self.drawing.point(x, y, shape, SAID.get(row["serology"], INK))
        return scale.bottom

    def sledai(self, scale: Scale) -> None:
        """The bounds by records over their window, beside them the recorded total."""
        patient = self.facts.patient
        low, high = scale(patient["sledai_low"]), scale(patient["sledai_high"])
        x = across(-self.facts.sledai_window_days)
        self.drawing.band(x, RIGHT, high, low, ORAL, 0.18)
        for y in {low, high} if patient["sledai_high"] <= scale.most else {low}:
            self.drawing.rule(x, RIGHT, y, y, ORAL, 1.8)
        self.beside("sledai", scale.top + 10, bounds(patient["sledai_low"], patient["sledai_high"]), self.t("page.timeline.by_records"))
        if patient["sledai_recorded"] is not None:
            self.beside(
                "sledai", scale.top + 38, str(patient["sledai_recorded"]), self.t("page.timeline.recorded", patient["sledai_recorded_date"])
            )

    def limits(self, panel: Panel, found: Sequence[Row]) -> tuple[list[float], str]:
        """The panel's limits, and what sets them."""
        if panel.limits == ("upper",):
            return [1], self.t("page.timeline.upper_limit")
        if panel.limits == ("lower",):
            latest = max((row for row in found if row["limit_low"] is not None), key=lambda row: row["day"], default=None)
            if not latest:
                return [], ""
            key = "default_limit" if latest["is_default_low"] else "lower_limit"
            return [latest["limit_low"]], self.t(f"page.timeline.{key}", plain(latest["limit_low"]))
        by_item: dict[str, list[float]] = {}
        for limit in panel.limits:
            number, _, item = limit.rpartition("@")
            by_item.setdefault(item, []).append(float(number) if number else self.thresholds[item, panel.analytes[0]])
        said = ", ".join(f"{', '.join(map(plain, values))} ({item})" for item, values in by_item.items())
        return [value for values in by_item.values() for value in values], self.t("page.timeline.limit", said)

    def heading(self, scale: Scale, panel: Panel, limits: Sequence[float], said: str) -> None:
        """The panel's title, unit and limits, its foot line and its ticks; a tick too near to another is left out."""
        self.drawing.rule(LEFT, RIGHT, scale.bottom, scale.bottom, SOFT, 0.7)
        self.drawing.text(0, scale.top + 9, self.t(f"page.timeline.{panel.name}"), "strong")
        self.drawing.text(0, scale.top + 21, self.t(f"page.timeline.{panel.name}.unit"), "soft")
        self.drawing.text(0, scale.top + 33, said, "limit")
        placed: list[float] = []
        for value, look in [*((limit, "limit") for limit in limits), (scale.least, "soft"), (scale.most, "soft")]:
            y = scale(value)
            if look == "limit":
                self.drawing.rule(LEFT, RIGHT, y, y, LIMIT, 1, layer="dashes")
            if all(abs(y - other) >= 10 for other in placed):
                self.drawing.text(LEFT - 5, y + 3.5, plain(value), look, "end")
                placed.append(y)

    def beside(self, panel: str, y: float, says: str, below: str) -> None:
        """A value to the right of a panel, and a word below it."""
        self.drawing.text(BESIDE, y, shortened(says), "strong")
        self.drawing.text(BESIDE, y + 12, below, "soft")
        self.told.append(f"{self.t(f'page.timeline.{panel}')}: {says} ({below})")

    def nothing(self, y: float) -> None:
        """The word where there is nothing to draw."""
        self.drawing.text((LEFT + RIGHT) / 2, y, self.t("page.timeline.nothing"), "soft", "middle")


def across(day: float) -> float:
    """The place of a day on the axis, 0 being day D; a day lasts from its number to the next."""
    return LEFT + (day - FIRST_DAY) / DAYS * (RIGHT - LEFT)


def height_of(result: Row, scale: Scale) -> float:
    """Where a result is drawn; a word or titre at the edge that it speaks for."""
    if result["value"] is not None:
        return scale(result["value"])
    return {"positive": scale.top, "negative": scale.bottom}.get(result["serology"], scale(1))


def bounds(low: float | None, high: float | None) -> str:
    """A value known as bounds, in words."""
    if high is None:
        return f"≥ {plain(low or 0)}"
    return plain(high) if low == high else f"{plain(low or 0)}–{plain(high)}"


def plain(number: float) -> str:
    """A number to three figures, without an exponent."""
    return f"{float(f'{number:.3g}'):.9f}".rstrip("0").rstrip(".")


def rounded_up(number: float) -> float:
    """The next number that has two figures."""
    step = 10.0 ** (floor(log10(number)) - 1)
    return float(f"{-floor(-number / step + 1e-9) * step:.6g}")


def shortened(text: str, widest: int = 19) -> str:
    """A text that fits beside a panel; a Chinese character is as wide as two others."""
    widths = [2 if east_asian_width(character) in "WF" else 1 for character in text]
    if sum(widths) <= widest:
        return text
    return "".join(c for c, end in zip(text, accumulate(widths), strict=True) if end < widest) + "…"
