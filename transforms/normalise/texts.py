"""Reported texts: folding, numbers, titres and result words, in English and Chinese (protocol §1, usable value, serology)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from math import isfinite

from transforms.store import csv_frame

NUMBER = re.compile(
    r"(?P<comparator><=|>=|<|>|≤|≥)?\s*"
    r"(?P<mantissa>-?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+))"
    r"(?:[eE](?P<exponent>[+-]?\d+)|\s*[×xX*]\s*10\^(?P<power>[+-]?\d+))?",
    re.ASCII,
)
TITRE = re.compile(
    r"(?P<comparator><=|>=|<|>|≤|≥)?\s*(?:(?<![\d.])1\s*:|(?<![\d./])1\s*/(?!\s*\d+/))\s*(?P<n>\d{1,3}(?:,\d{3})+(?!\d)|\d+)",
    re.ASCII,
)
TRAILING_MARK = re.compile(r"(?:\s*[↑↓*]|\s+[HL])$")
BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】")
TITRE_CUTOFFS = {"ana": 80, "anti_dsdna": 10, "anti_sm": 1, "reagin": 1, "treponemal_ab": 1}
ANA_NEGATIVE_BELOW = 100  # a kit that starts at 1:100 says "< 1:100" for a negative ANA
COMPARATORS = {"≤": "<=", "≥": ">=", None: ""}


@dataclass(frozen=True)
class Quantity:
    """A number as reported, exact (comparator ``""``) or behind ``<``, ``<=``, ``>`` or ``>=``."""

    comparator: str
    number: float


def fold(text: str) -> str:
    """The text trimmed and with full-width forms folded (NFKC)."""
    return unicodedata.normalize("NFKC", text).strip()


def name_key(text: str) -> str:
    """What two names are compared by: folded, case ignored."""
    return fold(text).casefold()


def without_marks(text: str) -> str:
    """The text without trailing ↑, ↓, * or a separate H or L."""
    while (shorter := TRAILING_MARK.sub("", text).rstrip()) != text:
        text = shorter
    return text


def quantity(text: str) -> Quantity | None:
    """The number that the whole text is, or None; ``1,234``, ``1.2E3`` and ``2.35×10^4`` are numbers."""
    match = NUMBER.fullmatch(without_marks(fold(text)))
    if not match:
        return None
    power = match["exponent"] or match["power"] or "0"
    number = float(f"{match['mantissa'].replace(',', '')}e{power}")
    return Quantity(_comparator(match), number) if isfinite(number) else None


@dataclass(frozen=True)
class Word:
    """What a listed result word says: positive, negative or equivocal; of a viral load above, below or nothing."""

    meaning: str
    viral_load: str | None


@cache
def result_words() -> dict[str, Word]:
    """The listed result words, folded."""
    rows = csv_frame("transforms.normalise", "maps", "value_words.csv").iter_rows(named=True)
    return {name_key(row["word"]): Word(row["meaning"], row["viral_load"]) for row in rows}


@cache
def _negative_word() -> re.Pattern[str]:
    words = [text for text, word in result_words().items() if word.meaning == "negative" and text != "-"]
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(rf"(?<![a-z]){re.escape(word)}(?![a-z])" for word in longest_first))


def titre(text: str, cutoff: int, *, negative_below: int | None = None) -> str | None:
    """positive, negative or equivocal by the greatest titre ``1:n`` in the text, or None where there is none.

    ``negative_below`` is the greatest n for which "< 1:n" still reads as negative (default: the cut-off).
    """
    folded = fold(text).casefold()
    found = [(int(m["n"].replace(",", "")), _comparator(m)) for m in TITRE.finditer(folded)]
    if not found:
        return None
    n, comparator = max(found)
    if comparator in ("<", "<="):
        result = "negative" if n <= (negative_below or cutoff) else "equivocal"
    elif comparator:
        result = "positive" if n >= cutoff else "equivocal"
    else:
        result = "positive" if n >= cutoff else "negative"
    if _negative_word().search(TITRE.sub(" ", folded)):
        return "equivocal" if result == "positive" else "negative"
    return result


def result_word(text: str, names: frozenset[str]) -> str | None:
    """The listed word that the whole text is, or None.

    Taken off first: trailing marks, one of the analyte's folded ``names`` in front with ``:`` or ``=`` behind it, a part in brackets
    (where nothing stands outside the brackets, the text inside counts).
    """
    rest = without_marks(fold(text)).casefold()
    head, separator, tail = _split_name(rest)
    if separator and head in names:
        rest = tail
    outside = without_marks(BRACKETED.sub(" ", rest).strip())
    if not outside and (inside := BRACKETED.fullmatch(rest)):
        outside = without_marks(inside.group()[1:-1].strip())
    word = " ".join(outside.split())
    return word if word in result_words() else None


def serology_titre(analyte: str, text: str) -> str | None:
    """What a titre in the text says for this analyte, or None where it has no titre or is not read by titre."""
    if analyte not in TITRE_CUTOFFS:
        return None
    return titre(text, TITRE_CUTOFFS[analyte], negative_below=ANA_NEGATIVE_BELOW if analyte == "ana" else None)


def _split_name(text: str) -> tuple[str, str, str]:
    match = re.match(r"(.+?)\s*([:=])\s*(.*)", text, re.DOTALL)
    return (match[1], match[2], match[3]) if match else (text, "", "")


def _comparator(match: re.Match[str]) -> str:
    return COMPARATORS.get(match["comparator"], match["comparator"])
