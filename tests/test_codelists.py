"""The code lists and maps: complete, in good form, and holding at least the trial's minimum (tests/data/minimum)."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LISTS = ROOT / "transforms" / "codelists"
MAPS = ROOT / "transforms" / "normalise" / "maps"
MINIMUM = Path(__file__).parent / "data" / "minimum"

Row = dict[str, str]

COLUMNS = ["code_system", "code", "match", "table", "attribution", "source", "status"]
TABLES_OF = {
    "ICD10CM": {"diagnoses"},
    "ICD10": {"diagnoses"},
    "ICD10CN": {"diagnoses"},
    "ICD9CM": {"diagnoses", "procedures"},
    "ICD10PCS": {"procedures"},
    "CPT": {"procedures"},
    "SNOMED": {"diagnoses", "procedures"},
    "CVX": {"immunizations"},
    "ATC": {"immunizations"},
    "LOCAL": {"diagnoses", "procedures", "both", "immunizations"},
}
WITHOUT_ICD9CM = {
    "C-proteinuria": "ICD-9-CM has no code of its own for lupus nephritis",
    "gene_cell_therapy": "ICD-9-CM was closed before the first product",
}
LOINC_WITH_WRONG_CHECK_DIGIT: set[str] = set()


def read(path: Path) -> list[Row]:
    """Rows of a CSV file; a short or a long record is an error."""
    with path.open(encoding="utf-8", newline="") as file:
        records = list(csv.reader(file))
    header = records[0]
    assert len(header) == len(set(header)), f"{path.name}: a column twice"
    for number, record in enumerate(records[1:], start=2):
        assert len(record) == len(header), f"{path.name} line {number}: {len(record)} cells, {len(header)} columns"
        assert record == [cell.strip() for cell in record], f"{path.name} line {number}: blanks around a cell"
    return [dict(zip(header, record, strict=True)) for record in records[1:]]


def bare(code: str) -> str:
    """A code as it is compared: without dots, in capitals."""
    return code.replace(".", "").upper()


CONCEPTS = read(LISTS / "concepts.csv")
NAMES = [row["concept"] for row in CONCEPTS]
ALL = {name: read(LISTS / f"{name}.csv") for name in NAMES}
DRUGS = read(MAPS / "drugs.csv")
ANALYTES = read(MAPS / "analytes.csv")


def test_every_list_is_in_concepts_and_the_other_way_round() -> None:
    files = {path.stem for path in LISTS.glob("*.csv")} - {"concepts"}
    assert files == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("column", ["title_en", "title_zh", "scope", "version", "status", "scope_zh"])
def test_concepts_are_complete(column: str) -> None:
    assert list(CONCEPTS[0]) == ["concept", "title_en", "title_zh", "scope", "version", "status", "scope_zh"]
    assert [row["concept"] for row in CONCEPTS if not row[column]] == []


def test_concept_status_and_version() -> None:
    assert {row["status"] for row in CONCEPTS} <= {"active", "retired"}
    assert [row["version"] for row in CONCEPTS if not re.fullmatch(r"\d{4}\.\d{2}", row["version"])] == []


@pytest.mark.parametrize("name", NAMES)
def test_list_is_in_good_form(name: str) -> None:
    rows = ALL[name]
    assert list(rows[0]) == COLUMNS
    for row in rows:
        assert row["table"] in TABLES_OF[row["code_system"]], row
        assert (row["match"] == "contains") == (row["code_system"] == "LOCAL"), row
        assert row["match"] in {"prefix", "exact", "contains"}, row
        assert row["status"] in {"active", "retired"}, row
        assert row["code"], row
        assert row["source"], row
        is_descriptor = re.match(r"S\d\d$|C-", name) is not None
        assert row["attribution"] in ({"direct", "possible"} if is_descriptor else {""}), row


@pytest.mark.parametrize("name", NAMES)
def test_no_row_twice(name: str) -> None:
    seen = Counter((row["code_system"], bare(row["code"]), row["match"], row["table"]) for row in ALL[name])
    assert [key for key, times in seen.items() if times > 1] == []


@pytest.mark.parametrize("name", [name for name in NAMES if re.match(r"S\d\d$|C-", name)])
def test_no_code_is_both_direct_and_possible(name: str) -> None:
    for one in ALL[name]:
        for other in ALL[name]:
            if one["code_system"] == other["code_system"] and one["attribution"] != other["attribution"]:
                assert not (one["match"] == "prefix" and bare(other["code"]).startswith(bare(one["code"]))), (
                    one,
                    other,
                )


def test_minimum_conditions_are_held() -> None:
    missing = []
    for row in read(MINIMUM / "conditions.csv"):
        name = row.pop("set")
        held = [{key: mine[key] for key in row} for mine in ALL.get(name, []) if mine["status"] == "active"]
        if row not in held:
            missing.append((name, row))
    assert missing == []


def test_minimum_live_vaccines_are_held() -> None:
    held = {(row["code_system"], row["code"]) for row in ALL["live_vaccine"] if row["status"] == "active"}
    assert {(row["code_system"], row["code"]) for row in read(MINIMUM / "live_vaccines.csv")} - held == set()


def test_vaccines_that_are_not_surely_live_are_left_out() -> None:
    numbers = {row["code"].lstrip("0") for row in ALL["live_vaccine"] if row["code_system"] == "CVX"}
    assert numbers & {"39", "101", "129", "134", "187", "188", "206", "329"} == set()
    assert "活疫苗" not in {row["code"] for row in ALL["live_vaccine"]}  # 灭活疫苗 (inactivated) contains it


def test_every_diagnosis_list_knows_icd9cm() -> None:
    without = set()
    for name, rows in ALL.items():
        systems = {row["code_system"] for row in rows if row["table"] in {"diagnoses", "both"}}
        if "ICD10CM" in systems and "ICD9CM" not in systems:
            without.add(name)
    assert without == set(WITHOUT_ICD9CM)


def test_the_lists_without_icd9cm_say_so() -> None:
    scope = {row["concept"]: row["scope"] for row in CONCEPTS}
    assert [name for name in WITHOUT_ICD9CM if "ICD-9-CM" not in scope[name]] == []


@pytest.mark.parametrize("name", NAMES)
def test_icd9cm_codes_have_the_form_of_their_table(name: str) -> None:
    for row in ALL[name]:
        if row["code_system"] == "ICD9CM":
            form = r"\d{2}(\.\d{1,2})?" if row["table"] == "procedures" else r"(\d{2,3}|V\d{2})(\.\d{1,2})?"
            assert re.fullmatch(form, row["code"]), row
            assert row["match"] == "prefix" or len(bare(row["code"])) >= 3, row


def codes_hit(name: str, system: str, table: str, code: str) -> list[Row]:
    """Active rows of a list that a code of that system and table matches."""
    hits = []
    for row in ALL[name]:
        if row["code_system"] == system and row["table"] in {table, "both"} and row["status"] == "active":
            mine, theirs = bare(row["code"]), bare(code)
            if theirs == mine if row["match"] == "exact" else theirs.startswith(mine):
                hits.append(row)
    return hits


@pytest.mark.parametrize(
    ("code", "hit", "missed"),
    [
        ("41519", ["vte"], ["cardiac_fail"]),  # pulmonary embolism
        ("41071", ["cardiac_fail"], ["transplant"]),  # infarction; 41.0 is a procedure
        ("71000", [], ["sle"]),  # 710.0 is exact
        ("7100", ["sle"], ["autoimmune_other"]),
        ("4538", [], ["vte"]),  # other veins: deep or not is not told
        ("45351", [], ["vte"]),  # chronic
        ("17301", ["malignancy", "malignancy_allowed"], ["malignancy_uncertain"]),  # basal cell
        ("17302", ["malignancy"], ["malignancy_allowed", "malignancy_uncertain"]),  # squamous cell
        ("1730", ["malignancy", "malignancy_uncertain"], ["malignancy_allowed"]),  # before 2011: type not told
        ("17399", ["malignancy", "malignancy_uncertain"], ["malignancy_allowed"]),
        ("20962", [], ["malignancy"]),  # benign carcinoid
        ("2331", ["malignancy_allowed"], ["malignancy"]),
        ("04111", [], ["infection"]),  # the organism beside another code
        ("07054", ["infection", "infection_not"], []),
        ("042", ["hiv", "infection_not"], ["infection"]),
        ("5990", ["infection", "infection_simple", "urinary_infection_or_stone"], []),
        ("64893", ["pregnancy"], ["pregnancy_end"]),  # antepartum
        ("64891", ["pregnancy_end"], ["pregnancy"]),  # delivered
        ("64894", ["pregnancy_end"], ["pregnancy"]),  # postpartum
        ("64890", [], ["pregnancy", "pregnancy_end"]),  # episode not told, childbed possible
        ("64200", ["pregnancy"], ["pregnancy_end"]),
        ("V222", ["pregnancy"], ["pregnancy_end"]),
        ("V4512", [], ["haemodialysis"]),  # non-compliance
        ("78039", ["cns_seizure", "S01", "C-seizure"], ["cns_possible_lupus"]),
        ("3343", ["cns_possible_lupus"], ["cns_never_lupus"]),
    ],
)
def test_icd9cm_diagnoses_land_where_they_should(code: str, hit: list[str], missed: list[str]) -> None:
    assert [name for name in hit if not codes_hit(name, "ICD9CM", "diagnoses", code)] == []
    assert [name for name in missed if codes_hit(name, "ICD9CM", "diagnoses", code)] == []


# ---- drugs -----------------------------------------------------------------------------------------------------------


def test_minimum_drugs_are_held() -> None:
    held = {row["ingredient"]: row for row in DRUGS}
    for row in read(MINIMUM / "drugs.csv"):
        mine = held[row["ingredient"]]
        for column in ("class", "prednisone_factor", "standard_daily_mg", "days_per_dose"):
            assert mine[column] == row[column], (row["ingredient"], column)
        for column in ("atc", "rxnorm", "names"):
            assert set(row[column].split("|")) <= set(mine[column].split("|")), (row["ingredient"], column)


def test_drugs_are_in_good_form() -> None:
    assert [row["ingredient"] for row in DRUGS if not (row["source"] and row["class"])] == []
    for column in ("ingredient", "atc", "rxnorm", "names"):
        values = [value.casefold() for row in DRUGS for value in row[column].split("|") if value]
        assert [value for value, times in Counter(values).items() if times > 1] == [], column
    for row in DRUGS:
        assert row["atc"] or row["rxnorm"] or row["names"], row
        for atc in filter(None, row["atc"].split("|")):
            assert re.fullmatch(r"[A-Z]\d{2}([A-Z]{2}\d{2}|\*)", atc), row
        for column in ("prednisone_factor", "standard_daily_mg"):
            assert row[column] == "" or float(row[column]) > 0, row
        for interval in row["days_per_dose"].split():
            assert re.fullmatch(r"(iv|sc|im|oral)=\d+", interval), row
        assert (row["class"] == "glucocorticoid") == (row["prednisone_factor"] != ""), row


# ---- analytes --------------------------------------------------------------------------------------------------------


def units(row: Row) -> dict[str, str]:
    """Unit to factor; the unit may be empty and may hold anything but the last equals sign."""
    pairs = [pair.rpartition("=") for pair in row["units_and_factors"].split("|") if pair]
    return {unit: factor for unit, _, factor in pairs}


def check_digit(stem: str) -> int:
    """LOINC's mod-10 digit: from the right every other digit doubled, digits summed."""
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(stem)))
    return -total % 10


def test_minimum_analytes_are_held() -> None:
    held = {row["analyte"]: row for row in ANALYTES}
    for row in read(MINIMUM / "analytes.csv"):
        mine = held[row["analyte"]]
        for column in ("kind", "canonical_unit", "plausible_low", "plausible_high", "default_low"):
            assert mine[column] == row[column], (row["analyte"], column)
        for column in ("units_and_factors", "loinc", "names"):
            assert set(row[column].split("|")) <= set(mine[column].split("|")), (row["analyte"], column)
        high, male = mine["default_high"], mine["default_high_male"]
        written = f"{male} (male) {high} (female, other, unknown)" if male else high
        assert written == row["default_high"], row["analyte"]


def test_analytes_are_in_good_form() -> None:
    for column in ("analyte", "kind", "title_en", "title_zh", "source"):
        assert [row["analyte"] for row in ANALYTES if not row[column]] == [], column
    for column in ("analyte", "loinc", "names"):
        values = [value.casefold() for row in ANALYTES for value in row[column].split("|") if value]
        assert [value for value, times in Counter(values).items() if times > 1] == [], column


def test_unit_factors_are_numbers() -> None:
    for row in ANALYTES:
        factors = units(row)
        assert len(factors) == row["units_and_factors"].count("|") + bool(row["units_and_factors"]), row["analyte"]
        for unit, factor in factors.items():
            assert factor == "F" or float(factor) > 0, (row["analyte"], unit)
        if factors:
            assert float(factors[row["canonical_unit"]]) == 1, row["analyte"]
        for column in ("plausible_low", "plausible_high", "default_low", "default_high", "default_high_male"):
            assert row[column] == "" or float(row[column]) >= 0, (row["analyte"], column)


def test_loinc_codes_have_their_check_digit() -> None:
    assert check_digit("718") == 7  # haemoglobin 718-7
    codes = {code for row in ANALYTES for code in row["loinc"].split("|") if code}
    wrong = {code for code in codes if check_digit(code.split("-")[0]) != int(code.split("-")[1])}
    assert wrong == LOINC_WITH_WRONG_CHECK_DIGIT


TRAPS = {
    "creatinine": {"2161-8", "14683-7"},  # urine
    "neutrophils": {"770-8", "26511-6", "23761-0"},  # percent
    "aptt": {"34571-0", "13488-2"},  # lupus-sensitive; control plasma
    "anti_dsdna": {"51775-5", "7465-1"},  # chromatin; no LOINC
    "ana": {"7883-2", "22296-8"},  # EBV nuclear
    "urine_protein_creatinine_ratio": {"14959-1", "9318-7"},  # albumin
    "urine_protein_24h": {"21482-5", "20454-5"},  # concentration; strip
    "hbcab": {"31204-1", "24113-3"},  # IgM alone
    "ebv_vca_igm": {"31375-9", "24114-1"},  # EBNA; IgG
    "spo2": {"2708-6", "2711-0"},  # blood gas
    "hcg_blood": {"2106-3"},  # urine
}


@pytest.mark.parametrize("analyte", TRAPS)
def test_look_alike_codes_stay_out(analyte: str) -> None:
    row = next(row for row in ANALYTES if row["analyte"] == analyte)
    assert set(row["loinc"].split("|")) & TRAPS[analyte] == set()


# ---- words and routes ------------------------------------------------------------------------------------------------


def test_value_words_are_in_good_form() -> None:
    rows = read(MAPS / "value_words.csv")
    assert {row["meaning"] for row in rows} == {"positive", "negative", "equivocal"}
    assert max(Counter(row["word"].casefold() for row in rows).values()) == 1
    for row in rows:
        assert row["source"], row
        assert (row["viral_load"] == "below") == (row["meaning"] == "negative"), row
    assert {row["word"] for row in rows if row["viral_load"] == "above"} == {"positive", "detected", "阳性"}


def test_routes_are_in_good_form() -> None:
    rows = read(MAPS / "routes.csv")
    routes = {row["word"]: row["route"] for row in rows}
    canonical = {"oral", "iv", "im", "sc", "topical", "inhaled", "ophthalmic", "intra-articular", "other"}
    assert set(routes.values()) == canonical
    assert {word: routes[word] for word in canonical} == {word: word for word in canonical}
    assert max(Counter(row["word"].casefold() for row in rows).values()) == 1
    assert [row["word"] for row in rows if not row["source"]] == []
    assert "ih" not in routes  # inhaled in some hospitals, under the skin in others
