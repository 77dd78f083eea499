"""Values: texts, units, drug names, intervals, windows, three-valued logic, by a plain reading of the text."""

import calendar
import operator
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import engine
from tests import cases
from transforms import store
from transforms.normalise import analytes, ingredients
from transforms.normalise.texts import (
    Quantity,
    fold,
    name_key,
    quantity,
    result_word,
    result_words,
    serology_titre,
    titre,
)

settings.register_profile("no deadline", deadline=None)  # the first example loads the word list
settings.load_profile("no deadline")

FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
COMPARATORS = {"": "", "<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">=", "＜": "<", "＞": ">"}
MARKS = ("", "↑", "↓", "*", " H", " L", " ↑", "*↓", " H *", "＊")


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    """A store with the scalar macros and no rows."""
    found = store.connect()
    found.execute("create table run.parameters (name varchar, value varchar)")
    store.run_sql(found, "transforms.normalise", "intervals.sql")
    store.run_sql(found, "rules.shared", *engine.SCALAR_MACROS)
    return found


# Numbers


@pytest.mark.parametrize(
    ("text", "comparator", "number"),
    [
        ("12.3", "", 12.3),
        (" 12.3 ", "", 12.3),
        ("１２．３", "", 12.3),
        ("0", "", 0.0),
        (".5", "", 0.5),
        ("5.", "", 5.0),
        ("-1.5", "", -1.5),
        ("1,234", "", 1234.0),
        ("1，234，567.5", "", 1234567.5),
        ("1.2E3", "", 1200.0),
        ("1.2e-3", "", 0.0012),
        ("2.35×10^4", "", 23500.0),
        ("2.35 x 10^4", "", 23500.0),
        ("2.35*10^-2", "", 0.0235),
        ("<0.5", "<", 0.5),
        ("< 0.5", "<", 0.5),
        ("＜０．５", "<", 0.5),
        ("≤0.5", "<=", 0.5),
        ("<=0.5", "<=", 0.5),
        (">600", ">", 600.0),
        ("≥600", ">=", 600.0),
        (">=1,000", ">=", 1000.0),
        (">1.7E8", ">", 1.7e8),
        ("12.3↑", "", 12.3),
        ("12.3 ↓", "", 12.3),
        ("12.3*", "", 12.3),
        ("12.3 H", "", 12.3),
        ("12.3 L", "", 12.3),
        ("12.3 Ｈ", "", 12.3),
        ("<5 *", "<", 5.0),
    ],
)
def test_numbers_that_are_read(text: str, comparator: str, number: float) -> None:
    assert quantity(text) == Quantity(comparator, number)


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "+", "1+", "1:80", "1/2", "12.3H", "12.3HL", "12,3", "1,23", "1,2345", "12 3", "1.2.3", "5-10", "5~10",
        "12.3 g/L", "about 5", "阴性", "NaN", "inf", "1e999", "1E", "10^4", "<", "<<5", "=5", "5>", "一", "٣",
    ],
)  # fmt: skip
def test_texts_that_are_no_number(text: str) -> None:
    assert quantity(text) is None


@given(st.text())
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    found = quantity(text)
    assert found is None or abs(found.number) < float("inf")


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_full_width_forms_fold_to_ascii(text: str) -> None:
    assert fold(text.translate(FULL_WIDTH)) == fold(text) == text


@given(st.integers(0, 10**9), st.sampled_from(sorted(COMPARATORS)), st.sampled_from(MARKS), st.booleans())
def test_integers_come_back(number: int, sign: str, mark: str, is_wide: bool) -> None:
    for written in (f"{number}", f"{number:,}", f"{number}e0", f"{number}×10^0", f" {number} "):
        text = sign + written + mark
        assert quantity(text.translate(FULL_WIDTH) if is_wide else text) == Quantity(COMPARATORS[sign], number)


@given(st.floats(0, 1e12, allow_nan=False), st.sampled_from(sorted(COMPARATORS)))
def test_fractions_come_back(number: float, sign: str) -> None:
    assert quantity(f"{sign}{number!r}") == Quantity(COMPARATORS[sign], number)
    assert quantity(f"{sign} {number:.3f}") == Quantity(COMPARATORS[sign], float(f"{number:.3f}"))


# Titres


@pytest.mark.parametrize(
    ("analyte", "text", "reads"),
    [
        ("ana", "1:80", "positive"),
        ("ana", "1:79", "negative"),
        ("ana", "1:40", "negative"),
        ("ana", "１：３２０", "positive"),
        ("ana", "1 : 320", "positive"),
        ("ana", "1/320", "positive"),
        ("ana", "1:1,280", "positive"),
        ("ana", "核颗粒型 1:320", "positive"),
        ("ana", "ANA 1:100 (+)", "positive"),
        ("ana", "1:40 1:160 1:80", "positive"),
        ("ana", "positive 1:40", "negative"),
        ("ana", "阴性 1:40", "negative"),
        ("ana", "阴性 1:80", "equivocal"),
        ("ana", "not detected 1:320", "equivocal"),
        ("ana", "1:320 neg", "equivocal"),
        ("ana", "1:320 -", "positive"),
        ("ana", "1:320 negligible", "positive"),
        ("ana", "<1:80", "negative"),
        ("ana", "＜1：100", "negative"),
        ("ana", "< 1:101", "equivocal"),
        ("ana", "阴性 <1:160", "negative"),
        ("ana", "≤1:100", "negative"),
        ("ana", ">1:80", "positive"),
        ("ana", "≥1:80", "positive"),
        ("ana", ">1:79", "equivocal"),
        ("ana", "阴性 >1:40", "negative"),
        ("ana", "阴性 >1:320", "equivocal"),
        ("anti_dsdna", "1:10", "positive"),
        ("anti_dsdna", "1:9", "negative"),
        ("anti_dsdna", "<1:10", "negative"),
        ("anti_dsdna", "<1:11", "equivocal"),
        ("anti_sm", "1:1", "positive"),
        ("reagin", "1:1", "positive"),
        ("reagin", "<1:1", "negative"),
        ("reagin", "<1:2", "equivocal"),
        ("treponemal_ab", ">1:80", "positive"),
        ("ana", "80", None),
        ("ana", "positive", None),
        ("ana", "11:80", None),
        ("ana", "0.1:80", None),
        ("ana", "2026/1/5", None),
        ("ana", "1/5/2026", None),
        ("hbsag", "1:320", None),
        ("antiphospholipid", "1:320", None),
    ],
)
def test_titres(analyte: str, text: str, reads: str | None) -> None:
    assert serology_titre(analyte, text) == reads


@given(st.integers(1, 10**6), st.integers(1, 1000), st.sampled_from(sorted(COMPARATORS)), st.sampled_from(":：/"))
def test_a_titre_against_its_cut_off(n: int, cutoff: int, sign: str, between: str) -> None:
    is_reached = n >= cutoff
    reads = {
        "": "positive" if is_reached else "negative",
        "<": "negative" if n <= cutoff else "equivocal",
        ">": "positive" if is_reached else "equivocal",
    }[COMPARATORS[sign][:1]]
    assert titre(f"{sign}1{between}{n}", cutoff) == reads
    assert titre(f"{sign} 1 {between} {n:,}", cutoff) == reads
    assert titre(f"阴性 {sign}1{between}{n}", cutoff) == ("equivocal" if reads == "positive" else "negative")


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=5))
def test_the_greatest_titre_counts(found: list[int]) -> None:
    assert titre(" ".join(f"1:{n}" for n in found), 80) == titre(f"1:{max(found)}", 80)


# Result words


WORDS = {
    "positive": "positive|Pos|weakly positive|Weak Positive|REACTIVE|detected|+|++|+++|++++|1+|2+|3+|4+|＋|阳性|弱阳性",
    "negative": "negative|NEG|-|－|non-reactive|nonreactive|non reactive|Not Detected|target not detected|tnd|阴性|未检出|低于检测下限",
    "equivocal": "equivocal|Borderline|indeterminate|±|+-|+/-|可疑|灰区|不确定",
}
LISTED = [(word, meaning) for meaning, words in WORDS.items() for word in words.split("|")]
NAMES = frozenset({"hbsag", "乙肝表面抗原", "tp-pa", "hiv ag/ab"})


@pytest.mark.parametrize(("word", "meaning"), LISTED)
def test_every_listed_word_with_what_is_taken_off(word: str, meaning: str) -> None:
    around = ("{}", " {} ", "{}↑", "{} H", "{} (2.5 COI)", "（{}）", "[{}]", "【{}】", "HBsAg: {}", "HIV Ag/Ab：{}*")
    for text in (template.format(word) for template in (*around, "乙肝表面抗原＝{}（注）")):
        found = result_word(text, NAMES)
        assert found is not None, text
        assert result_words()[found].meaning == meaning, text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "positive?",
        "not positive",
        "阳性可能",
        "非阳性",
        "HCV: positive",
        "HBsAg positive",
        "see note",
        "++++++",
        "5+",
        "—",
        "()",
        "(+)(-)",
        "positive negative",
    ],
)
def test_texts_that_are_no_word(text: str) -> None:
    assert result_word(text, NAMES) is None


def test_no_other_word_is_listed() -> None:
    assert set(result_words()) == {name_key(word) for word, _ in LISTED}


# Units


UNIT_ANALYTES = store.csv_frame("transforms.normalise", "maps", "analytes.csv")


@pytest.mark.parametrize(
    ("analyte", "unit", "reported", "canonical"),
    [
        ("hemoglobin", "g/dl", 12.0, 120.0),
        ("hemoglobin", "mmol/l", 8.0, 128.912),
        ("neutrophils", "cells/ul", 1500, 1.5),
        ("platelets", "10^6/l", 20000, 20.0),
        ("leukocytes", "k/ul", 4.5, 4.5),
        ("lymphocytes_percent", "1", 0.25, 25.0),
        ("creatinine", "mg/dl", 1.0, 88.42),
        ("creatinine", "mmol/l", 0.09, 90.0),
        ("alt", "ukat/l", 1.0, 60.0),
        ("bilirubin_total", "mg/dl", 1.0, 17.104),
        ("inr", "", 1.1, 1.1),
        ("aptt", "秒", 35, 35.0),
        ("c3", "mg/dl", 90, 0.9),
        ("c4", "mg/l", 150, 0.15),
        ("urine_protein_creatinine_ratio", "mg/mmol", 56.56, 0.5),
        ("urine_protein_creatinine_ratio", "mg/g", 500, 0.5),
        ("urine_protein_24h", "mg/24h", 500, 0.5),
        ("hcg_blood", "iu/ml", 0.025, 25.0),
        ("hcg_blood", "miu/ml", 25, 25.0),
        ("body_weight", "斤", 120, 60.0),
        ("body_weight", "lb", 100, 45.359237),
        ("body_height", "in", 70, 177.8),
        ("systolic", "kpa", 20, 150.0124),
        ("temperature", "[degf]", 100.4, 38.0),
        ("temperature", "f", 98.6, 37.0),
        ("qtc", "s", 0.45, 450.0),
    ],
)
def test_conversions_known_by_hand(analyte: str, unit: str, reported: float, canonical: float) -> None:
    rows = analytes.units(UNIT_ANALYTES).filter(analyte=analyte, unit_key=unit).rows(named=True)
    assert len(rows) == 1
    assert (reported - rows[0]["offset"]) * rows[0]["factor"] == pytest.approx(canonical, rel=1e-4)


def test_every_listed_unit_of_every_number_end_to_end(tmp_path: Path) -> None:
    """A plausible value in each unit (as listed, in capitals, with blanks) arrives as that value in canonical units."""
    section = cases.Section(tmp_path / "i06_units.cases.md", "units", {"labs": [], "observations": []})
    wanted: dict[str, float] = {}
    for row in UNIT_ANALYTES.filter(UNIT_ANALYTES["units_and_factors"].is_not_null()).rows(named=True):
        if "serology" in row["kind"]:
            continue
        low, high = float(row["plausible_low"]), float(row["plausible_high"])
        middle = 7.0 if row["analyte"] == "sledai_total" else (low + high) / 2
        for unit, _, factor in (entry.rpartition("=") for entry in row["units_and_factors"].split("|")):
            reported = middle * 1.8 + 32 if factor == "F" else middle / float(factor)
            spellings = dict.fromkeys([unit, unit.upper(), unit.lower(), " ".join(unit)])
            for spelling in (s for s in spellings if "μ" not in unit.lower() or s == unit):
                name = f"{row['analyte']} {len(wanted)}"
                wanted[name] = middle
                table = "observations" if row["kind"] == "observation" else "labs"
                value = "7" if row["analyte"] == "sledai_total" else repr(reported)
                code = row["loinc"].split("|")[0] if row["loinc"] else row["names"].split("|")[0]
                system = "LOINC" if row["loinc"] else "LOCAL"
                section.given[table].append({"patient_id": name, "code_system": system, "code": code, "value": value, "unit": spelling})
    section.expected = [{"patient_id": name} for name in wanted]
    con = cases.run(section, tmp_path, only="I06")
    found = con.sql("select patient_id, cause, interval_.low from norm.results").fetchall()
    assert {name for name, cause, _ in found if cause} == set()
    assert {name: number for name, _, number in found} == {n: pytest.approx(v, rel=1e-9) for n, v in wanted.items()}


@given(st.floats(1e-3, 1e4), st.sampled_from(range(analytes.units(UNIT_ANALYTES).height)))
def test_units_go_and_come_back(number: float, at: int) -> None:
    row = analytes.units(UNIT_ANALYTES).row(at, named=True)
    assert ((number / row["factor"] + row["offset"]) - row["offset"]) * row["factor"] == pytest.approx(number, rel=1e-6)


def test_no_unit_is_listed_twice_for_an_analyte() -> None:
    units = analytes.units(UNIT_ANALYTES)
    assert units.select("analyte", "unit_key").is_duplicated().sum() == 0
    assert units.filter(units["factor"] <= 0).height == 0


# Serology and viral loads, end to end


READINGS = """# I06 Readings

## serology and viral loads
labs
| patient_id | code | value | unit | ref_high | flag |
| word_beats_number | 5196-1 | 阳性(0.01) | | 1 | N |
| number_above | 5196-1 | 1.01 | COI | 1 | |
| number_at_limit | 5196-1 | 1.00 | COI | 1 | |
| number_nine_decimals | 5196-1 | 1.0000000001 | COI | 1 | |
| limit_beats_flag | 5196-1 | 0.5 | COI | 1 | H |
| limit_zero_flag | 5196-1 | 0.5 | COI | 0 | H |
| limit_negative_flag | 5196-1 | 0.5 | COI | -1 | L |
| flag_hh | 5196-1 | 9 | | | HH |
| flag_a | 5196-1 | 9 | | | A |
| flag_ll | 5196-1 | 9 | | | LL |
| flag_arrow | 5196-1 | 9 | | | ↑ |
| flag_unknown | 5196-1 | 9 | | | ! |
| flag_without_number | 5196-1 | see note | | | H |
| below_limit | 5196-1 | <1 | | 1 | |
| below_more | 5196-1 | <1.1 | | 1 | |
| at_most_limit | 5196-1 | ≤1 | | 1 | |
| above_limit | 5196-1 | >1 | | 1 | |
| from_limit | 5196-1 | ≥1 | | 1 | |
| above_less | 5196-1 | >0.9 | | 1 | |
| titre_beats_limit | 5048-4 | 1:40 | | 0.5 | H |
| titre_only_of_five | 5196-1 | 1:40 | | | |
| ana_number | 5048-4 | 80 | | | |
| ana_number_flag | 5048-4 | 320 | | | H |
| hcg_low | 19080-1 | 4.99 | mIU/mL | | H |
| hcg_low_other_unit | 19080-1 | 4.99 | ng/mL | | H |
| hcg_five | 19080-1 | 5 | U/L | | |
| hcg_25 | 19080-1 | 25 | | | |
| hcg_below_25 | 19080-1 | <25 | IU/L | | |
| hcg_above_5 | 19080-1 | >5 | IU/L | | |
| hcg_ml | 19080-1 | 0.004 | IU/mL | | |
| hcg_own_limit_unknown_unit | 19080-1 | 3 | ng/mL | 2 | |
| hcg_urine_number | 2106-3 | 3 | IU/L | | |
| load_word | 29615-2 | Detected | | | |
| load_negative_word | 29615-2 | Non-Reactive | | | |
| load_weak | 29615-2 | 弱阳性 | | | |
| load_bracket | 29615-2 | HBV-DNA：未检出（<20） | | | |
| load_zero | 29615-2 | 0 | IU/mL | | |
| load_any | 29615-2 | 0.5 | IU/mL | | |
| load_at_limit | 29615-2 | 20 | IU/mL | 20 | |
| load_above_limit | 29615-2 | 2.1×10^1 | IU/mL | 20 | |
| load_below | 29615-2 | <20 | IU/mL | | |
| load_below_1000 | 29615-2 | <1E3 | copies/mL | | |
| load_below_2000 | 29615-2 | <2E3 | copies/mL | | |
| load_below_own | 29615-2 | <5000 | copies/mL | 5000 | |
| load_below_own_more | 29615-2 | <20 | IU/mL | 10 | |
| load_from | 29615-2 | ≥1.7E8 | IU/mL | | |
| load_log | 29615-2 | 1.5 | log IU/mL | | |
| load_log_limit | 29615-2 | 1.5 | LOG10 IU/mL | 1.5 | |
| load_log_zero_limit | 29615-2 | 0.1 | lg(IU/mL) | 0 | |
| load_log_negative | 29615-2 | -1 | lg IU/mL | | |
| load_log_below | 29615-2 | <1.3 | lg IU/mL | | |
| load_log_below_more | 29615-2 | <3.2 | lg IU/mL | | |
| load_log_huge | 29615-2 | 999 | lg IU/mL | | |
| load_flag | 29615-2 | see note | | | H |
| load_titre | 29615-2 | 1:320 | | | |

expect
| patient_id | serology | viral_load | cause | why |
| word_beats_number | positive | - | - | a word is read before a number |
| number_above | positive | - | - | 1.01 > 1 |
| number_at_limit | negative | - | - | not above |
| number_nine_decimals | negative | - | - | to 9 decimals equal |
| limit_beats_flag | negative | - | - | a limit is read before a flag |
| limit_zero_flag | positive | - | - | ref_high 0 is none |
| limit_negative_flag | negative | - | - | ref_high below 0 is none |
| flag_hh | positive | - | - | HH |
| flag_a | positive | - | - | A |
| flag_ll | negative | - | - | LL |
| flag_arrow | positive | - | - | ↑ is H |
| flag_unknown | - | - | unparsed | any other flag counts as none |
| flag_without_number | - | - | unparsed | a flag speaks of a number only |
| below_limit | negative | - | - | [0, 1) |
| below_more | equivocal | - | - | [0, 1.1) |
| at_most_limit | negative | - | - | [0, 1] |
| above_limit | positive | - | - | (1, ∞) |
| from_limit | equivocal | - | - | [1, ∞) holds 1 |
| above_less | equivocal | - | - | (0.9, ∞) |
| titre_beats_limit | negative | - | - | 40 < 80 |
| titre_only_of_five | - | - | unparsed | not read by titre |
| ana_number | - | - | unparsed | a number is no titre |
| ana_number_flag | positive | - | - | H |
| hcg_low | negative | - | - | 4.99 < 5 before the flag |
| hcg_low_other_unit | positive | - | - | unit not listed: the flag |
| hcg_five | equivocal | - | - | 5 to below 25 |
| hcg_25 | positive | - | - | an empty unit is listed |
| hcg_below_25 | equivocal | - | - | [0, 25) |
| hcg_above_5 | equivocal | - | - | (5, ∞) |
| hcg_ml | negative | - | - | 4 IU/L |
| hcg_own_limit_unknown_unit | positive | - | - | 3 > 2, whatever the unit |
| hcg_urine_number | - | - | unparsed | the cut-offs are those of blood |
| load_word | - | above | - | a word |
| load_negative_word | - | below | - | a negative word of the list |
| load_weak | - | - | unparsed | not among the words above |
| load_bracket | - | below | - | name and bracket are taken off |
| load_zero | - | below | - | 0 is not above 0 |
| load_any | - | above | - | 0.5 > 0 |
| load_at_limit | - | below | - | not above |
| load_above_limit | - | above | - | 21 > 20 |
| load_below | - | below | - | 20 ≤ 1000 |
| load_below_1000 | - | below | - | 1000 ≤ 1000 |
| load_below_2000 | - | - | unparsed | 2000 > 1000 |
| load_below_own | - | below | - | 5000 ≤ 5000 |
| load_below_own_more | - | - | unparsed | 20 > 10 |
| load_from | - | above | - | behind ≥ |
| load_log | - | above | - | 10^1.5 > 0 |
| load_log_limit | - | below | - | 10^1.5 is not above itself |
| load_log_zero_limit | - | above | - | 10^0.1 > 10^0 |
| load_log_negative | - | above | - | 10^-1 > 0 |
| load_log_below | - | below | - | 19.95 ≤ 1000 |
| load_log_below_more | - | - | unparsed | 1585 > 1000 |
| load_log_huge | - | above | - | a number, however great |
| load_flag | - | - | unparsed | no number |
| load_titre | - | - | unparsed | no number |
"""


def test_serology_and_viral_loads_end_to_end(tmp_path: Path) -> None:
    file = tmp_path / "i06_readings.cases.md"
    file.write_text(READINGS, encoding="utf-8")
    (section,) = cases.sections(file)
    con = cases.run(section, tmp_path, only="I06")
    rows = con.sql("select patient_id, serology, viral_load, cause from norm.results").fetchall()
    found = {name: [cell or "-" for cell in cells] for name, *cells in rows}
    assert found == {row["patient_id"]: [row["serology"], row["viral_load"], row["cause"]] for row in section.expected}


# Drug names


DRUG_NAMES = ingredients.drug_names(store.csv_frame("transforms.normalise", "maps", "drugs.csv")).rows()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("醋酸泼尼松片", "prednisone"),
        ("醋酸泼尼松龙片", "prednisolone"),
        ("氢化泼尼松注射液", "prednisolone"),
        ("强的松", "prednisone"),
        ("强的松龙", "prednisolone"),
        ("甲泼尼龙片", "methylprednisolone"),
        ("甲基泼尼松龙", "methylprednisolone"),
        ("甲基强的松龙", "methylprednisolone"),
        ("甲强龙", "methylprednisolone"),
        ("氢化可的松注射液", "hydrocortisone"),
        ("醋酸可的松", "cortisone"),
        ("泼尼松/甲泼尼龙", "methylprednisolone|prednisone"),
        ("prednisone 5 mg tablet", "prednisone"),
        ("PREDNISOLONE", "prednisolone"),
        ("Methylprednisolone", "methylprednisolone"),
        ("methyl prednisolone", "methylprednisolone"),
        ("Solu-Medrol 40mg", "methylprednisolone"),
        ("hydrocortisone", "hydrocortisone"),
        ("ｐｒｅｄｎｉｓｏｎｅ", "prednisone"),
        ("prednisones", ""),
        ("deprednisone", ""),
        ("prednisone5mg", "prednisone"),
        ("泼尼松prednisone片", "prednisone"),
        ("heparin sodium", "heparin"),
        ("肝素钠注射液", "heparin"),
        ("heparinoid cream", "heparinoid"),
        ("类肝素软膏", "heparinoid"),
        ("多磺酸粘多糖乳膏", "heparinoid"),
        ("低分子肝素钙", "low molecular weight heparin"),
        ("依诺肝素钠", "enoxaparin"),
        ("达肝素钠", "dalteparin"),
        ("那屈肝素钙", "nadroparin"),
        ("磺达肝癸钠", "fondaparinux"),
        ("吗替麦考酚酯胶囊", "mycophenolate mofetil"),
        ("mycophenolate sodium", "mycophenolic acid"),
        ("mycophenolate", "mycophenolate mofetil"),
        ("麦考酚钠肠溶片", "mycophenolic acid"),
        ("羟氯喹", "hydroxychloroquine"),
        ("磷酸氯喹", "chloroquine"),
        ("hydroxychloroquine", "hydroxychloroquine"),
        ("泰它西普", "telitacicept"),
        ("泰他西普", "telitacicept"),
        ("注射用RC18", "telitacicept"),
        ("tetracycline", ""),
        ("四环素", ""),
        ("培非格司亭", "pegfilgrastim"),
        ("pegfilgrastim", "pegfilgrastim"),
        ("聚乙二醇化重组人粒细胞刺激因子", "pegfilgrastim"),
        ("重组人粒细胞刺激因子", "filgrastim"),
        ("GM-CSF", "sargramostim"),
        ("G-CSF", "filgrastim"),
        ("重组人血小板生成素", "recombinant human thrombopoietin"),
        ("艾米替诺福韦", "tenofovir amibufenamide"),
        ("丙酚替诺福韦", "tenofovir alafenamide"),
        ("富马酸替诺福韦二吡呋酯", "tenofovir disoproxil"),
        ("efavirenz/lamivudine/tenofovir", "lamivudine|tenofovir disoproxil"),
        ("拉米夫定替诺福韦片", "lamivudine|tenofovir disoproxil"),
        ("左氧氟沙星", "levofloxacin"),
        ("更昔洛韦", "ganciclovir"),
        ("阿昔洛韦", "aciclovir"),
        ("静注人免疫球蛋白(pH4)", "immunoglobulin iv"),
        ("MMF 0.5g", "mycophenolate mofetil"),
        ("ammf", ""),
        ("阿司匹林", ""),
        ("", ""),
    ],
)
def test_drug_names(text: str, found: str) -> None:
    assert "|".join(ingredients.ingredients_in(text, DRUG_NAMES)) == found


@given(st.sampled_from(DRUG_NAMES), st.sampled_from(["", "片", "注射液", " 5 mg", "(国产)", "-", "1"]))
def test_a_listed_name_is_found_with_what_may_stand_around_it(named: tuple[str, str], around: str) -> None:
    name, ingredient = named
    for text in (name + around, name.upper() + around, f"（{name}）", unicodedata.normalize("NFKC", name) + around):
        assert ingredient in ingredients.ingredients_in(text, DRUG_NAMES)


@given(st.sampled_from([row for row in DRUG_NAMES if row[0].isascii() and row[0].isalpha()]), st.sampled_from("qxzé"))
def test_a_latin_name_inside_a_word_is_not_found(named: tuple[str, str], letter: str) -> None:
    name, ingredient = named
    for text in (name + letter, letter + name):
        assert ingredient not in ingredients.ingredients_in(text, DRUG_NAMES)


@given(st.sampled_from(DRUG_NAMES), st.sampled_from(DRUG_NAMES))
def test_every_ingredient_of_a_combination_counts(one: tuple[str, str], other: tuple[str, str]) -> None:
    found = ingredients.ingredients_in(f"{one[0]} / {other[0]}", DRUG_NAMES)
    assert {one[1], other[1]} <= set(found)


@given(st.text(max_size=30))
def test_any_text_holds_only_listed_ingredients(text: str) -> None:
    assert set(ingredients.ingredients_in(text, DRUG_NAMES)) <= {ingredient for _, ingredient in DRUG_NAMES}


# Intervals


def compared(values: list[float], holds: Callable[[float, float], bool], threshold: float) -> bool | None:
    """True if the comparison holds for every value, False if for none, None otherwise."""
    answers = {holds(value, threshold) for value in values}
    return answers.pop() if len(answers) == 1 else None


def test_comparisons_of_intervals(con: duckdb.DuckDBPyConnection) -> None:
    grid = [0.5 * step for step in range(1, 9)]
    wanted, rows = {}, []
    for comparator, number, threshold in product(["", "<", "<=", ">", ">="], grid, grid):
        points = sorted({0.0, 1e6, *(x + d for x in (number, threshold) for d in (-0.25, -1e-6, 0.0, 1e-6, 0.25))})
        inside = {
            "": [number],
            "<": [x for x in points if 0 <= x < number],
            "<=": [x for x in points if 0 <= x <= number],
            ">": [x for x in points if x > number],
            ">=": [x for x in points if x >= number],
        }[comparator]
        rows.append((comparator, number, threshold))
        wanted[rows[-1]] = tuple(compared(inside, holds, threshold) for holds in (operator.ge, operator.gt, operator.le, operator.lt))
    con.execute("create or replace temp table compared (comparator varchar, number double, threshold double)")
    con.executemany("insert into compared values (?, ?, ?)", rows)
    found = con.sql(
        """
        with b as (select *, bounds(comparator, number) as b from compared)
        select comparator, number, threshold,
            at_least(b, threshold), greater(b, threshold), at_most(b, threshold), less(b, threshold)
        from b
        """
    ).fetchall()
    assert {row[:3]: row[3:] for row in found} == wanted


@pytest.mark.parametrize(
    ("number", "threshold", "reads"),
    [
        (0.1 + 0.2, 0.3, (True, False, True, False)),
        (80 - 1e-10, 80, (True, False, True, False)),
        (80 - 1e-9, 80, (False, False, True, True)),
    ],
)
def test_both_sides_are_rounded_to_nine_decimals(
    con: duckdb.DuckDBPyConnection, number: float, threshold: float, reads: tuple[bool, ...]
) -> None:
    found = con.execute(
        "select at_least(b, $t), greater(b, $t), at_most(b, $t), less(b, $t) from (select bounds('', $n::double) as b)",
        {"n": number, "t": float(threshold)},
    ).fetchone()
    assert found == reads


# Windows


SPANS = {
    "to_days(14)": (0, 14),
    "to_days(42)": (0, 42),
    "to_months(2)": (2, 0),
    "to_months(6)": (6, 0),
    "to_years(1)": (12, 0),
    "to_years(2)": (24, 0),
    "to_years(5)": (60, 0),
}
DAYS = [date(2023, 1, 1) + timedelta(days=n) for n in range(366 * 3)]


def opens(day: date, span: tuple[int, int]) -> date:
    """The first day of a window: whole months back, clipped to the month's end, or days."""
    months, days = span
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last)) - timedelta(days=days)


@pytest.mark.parametrize("span", SPANS)
def test_windows_hold_both_ends(con: duckdb.DuckDBPyConnection, span: str) -> None:
    found = con.execute(
        f"""
        select d, within(d, d, {span}), within(d + 1, d, {span}), within(window_start(d, {span}), d, {span}),
            within(window_start(d, {span}) - 1, d, {span}), window_start(d, {span})
        from (select unnest($days::date[]) as d)
        """,
        {"days": DAYS},
    ).fetchall()
    assert [row[1:] for row in found] == [(True, False, True, False, opens(row[0], SPANS[span])) for row in found]


@pytest.mark.parametrize("span", SPANS)
def test_the_first_day_outside_a_window(con: duckdb.DuckDBPyConnection, span: str) -> None:
    later = [date(2023, 1, 1) + timedelta(days=n) for n in range(366 * 9)]
    starts = [opens(day, SPANS[span]) for day in later]
    assert starts == sorted(starts)
    found = con.execute(f"select d, leaves_window(d, {span}) from (select unnest($days::date[]) as d)", {"days": DAYS}).fetchall()
    assert dict(found) == {day: later[bisect_right(starts, day)] for day in DAYS}


@pytest.mark.parametrize(
    ("day", "span", "first"),
    [
        ("2024-04-30", "to_months(2)", "2024-02-29"),
        ("2023-04-30", "to_months(2)", "2023-02-28"),
        ("2024-02-29", "to_years(1)", "2023-02-28"),
        ("2024-02-29", "to_years(5)", "2019-02-28"),
        ("2025-02-28", "to_years(1)", "2024-02-28"),
        ("2026-08-31", "to_months(6)", "2026-02-28"),
        ("2026-03-01", "to_days(90)", "2025-12-01"),
    ],
)
def test_windows_by_the_calendar(con: duckdb.DuckDBPyConnection, day: str, span: str, first: str) -> None:
    assert con.sql(f"select window_start(date '{day}', {span})::varchar").fetchall() == [(first,)]


# Parts of an item


def parts_of(rows: list[dict[str, object]]) -> str:
    """SQL for the outcomes that the rows describe."""

    def cell(row: dict[str, object], name: str) -> str:
        return f"'{row[name]}'" if row.get(name) else "null"

    return ", ".join(
        f"outcome({cell(row, 'verdict')}, {cell(row, 'basis')}, {cell(row, 'reason_code')}, say('consent.is'), [],"
        f" {cell(row, 'evidence_date')}, null, {cell(row, 'next_date')}, {cell(row, 'fail_kind')})"
        for row in rows
    )


def combined(con: duckdb.DuckDBPyConnection, how: str, rows: list[dict[str, object]]) -> dict[str, str]:
    """What ``how`` (all_of or any_of) makes of the parts, without what is empty."""
    names = ["verdict", "basis", "reason_code", "fail_kind", "next_date", "evidence_date"]
    picked = ", ".join(f"o.{name}::varchar" for name in names)
    (found,) = con.sql(f"select {picked} from (select {how}([{parts_of(rows)}]) as o)").fetchall()
    return {name: value for name, value in zip(names, found, strict=True) if value is not None}


def test_three_valued_and_and_or(con: duckdb.DuckDBPyConnection) -> None:
    worst_first = ["fail", "review", "unknown", "pass"]
    best_first = ["pass", "review", "unknown", "fail"]
    rows = [list(row) for size in (1, 2, 3) for row in product(worst_first, repeat=size)]
    part = "lambda v: outcome(v, 'data', null, say('consent.is'), [], null, null, null, null)"
    found = con.execute(
        f"select v, all_of(list_transform(v, {part})).verdict, any_of(list_transform(v, {part})).verdict from (select unnest($rows) as v)",
        {"rows": rows},
    ).fetchall()
    assert len(found) == 4 + 16 + 64
    for verdicts, conjunction, disjunction in found:
        assert conjunction == min(verdicts, key=worst_first.index), verdicts
        assert disjunction == min(verdicts, key=best_first.index), verdicts


FAIL = {"verdict": "fail", "basis": "data"}
UNKNOWN = {"verdict": "unknown", "basis": "none"}
REVIEW = {"verdict": "review", "basis": "data"}
PASS = {"verdict": "pass", "basis": "data"}


@pytest.mark.parametrize(
    ("how", "parts", "result"),
    [
        (
            "all_of",
            [
                FAIL | {"fail_kind": "timed", "next_date": "2026-04-01"},
                FAIL | {"fail_kind": "timed", "next_date": "2026-05-01"},
            ],
            FAIL | {"fail_kind": "timed", "next_date": "2026-05-01"},
        ),
        (
            "all_of",
            [FAIL | {"fail_kind": "timed", "next_date": "2026-04-01"}, FAIL | {"fail_kind": "changeable"}],
            FAIL | {"fail_kind": "changeable"},
        ),
        (
            "all_of",
            [
                FAIL | {"fail_kind": "changeable"},
                FAIL | {"fail_kind": "lasting"},
                FAIL | {"fail_kind": "timed", "next_date": "2026-04-01"},
            ],
            FAIL | {"fail_kind": "lasting"},
        ),
        (
            "all_of",
            [
                FAIL | {"fail_kind": "timed", "next_date": "2026-04-01", "evidence_date": "2026-01-01"},
                PASS | {"evidence_date": "2026-02-01"},
            ],
            FAIL | {"fail_kind": "timed", "next_date": "2026-04-01", "evidence_date": "2026-01-01"},
        ),
        (
            "all_of",
            [PASS | {"evidence_date": "2026-01-01"}, PASS | {"evidence_date": "2026-02-01"}],
            PASS | {"evidence_date": "2026-02-01"},
        ),
        ("all_of", [PASS | {"basis": "absence"}, PASS | {"basis": "chart"}], PASS | {"basis": "chart"}),
        ("all_of", [PASS | {"basis": "not_applicable"}, PASS | {"basis": "absence"}], PASS | {"basis": "absence"}),
        ("all_of", [PASS | {"basis": "chart"}, PASS], PASS),
        ("any_of", [PASS | {"basis": "absence"}, FAIL | {"fail_kind": "changeable"}], PASS | {"basis": "absence"}),
        (
            "any_of",
            [UNKNOWN | {"reason_code": "missing_data"}, UNKNOWN | {"reason_code": "censored"}],
            UNKNOWN | {"reason_code": "censored"},
        ),
        (
            "all_of",
            [UNKNOWN | {"reason_code": "table_absent"}, UNKNOWN | {"reason_code": "judgement"}],
            UNKNOWN | {"reason_code": "table_absent"},
        ),
        (
            "all_of",
            [
                REVIEW | {"reason_code": "conflicting_data"},
                REVIEW | {"reason_code": "needs_attribution"},
                UNKNOWN | {"reason_code": "dose_unknown"},
            ],
            REVIEW | {"reason_code": "needs_attribution"},
        ),
    ],
)
def test_what_several_parts_make(
    con: duckdb.DuckDBPyConnection, how: str, parts: list[dict[str, object]], result: dict[str, object]
) -> None:
    assert combined(con, how, parts) == result


CAUSES = ["dose_unknown", "censored", "unusable_data", "unmapped_data", "stale_data", "missing_data"]
CAUSES += ["table_absent", "judgement"]


@pytest.mark.parametrize(("first", "second"), [(a, b) for n, a in enumerate(CAUSES) for b in CAUSES[n + 1 :]])
def test_the_order_of_causes(con: duckdb.DuckDBPyConnection, first: str, second: str) -> None:
    assert con.sql(f"select first_cause(['{second}', '{first}'])").fetchall() == [(first,)]
