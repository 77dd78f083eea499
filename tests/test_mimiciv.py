"""The mimiciv door: small hand-made hosp folders, and the real MIMIC-IV demo where it is at hand."""

import csv
import gzip
import os
import random
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from transforms.errors import ContractBroken
from transforms.ingest.mimiciv import MAPS, convert, recognises

ROOT = Path(__file__).resolve().parents[1]
DEMO = Path(os.environ.get("ZM001_REAL") or ROOT.parent / "shared" / "real") / "mimic-iv-demo-2.2"
demo_only = pytest.mark.skipif(not DEMO.is_dir(), reason=f"the MIMIC-IV demo is not at {DEMO}; ZM001_REAL names its folder")

Row = dict[str, Any]
Hosp = dict[str, list[Row]]
Converted = tuple[Path, dict[str, dict[str, int]]]

COLUMNS = {
    "patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "admissions": "subject_id,hadm_id,admittime,dischtime",
    "diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
    "labevents": "labevent_id,subject_id,itemid,charttime,value,valuenum,valueuom,ref_range_lower,ref_range_upper,flag,comments",
    "d_labitems": "itemid,label,fluid,category",
    "prescriptions": "subject_id,pharmacy_id,starttime,stoptime,drug_type,drug,prod_strength,dose_val_rx,dose_unit_rx,"
    "doses_per_24_hrs,route",
    "pharmacy": "subject_id,pharmacy_id,starttime,stoptime,medication,status,route,frequency,doses_per_24_hrs",
    "emar": "subject_id,emar_id,pharmacy_id,charttime,medication,event_txt",
    "emar_detail": "subject_id,emar_id,parent_field_ordinal,dose_given,dose_given_unit,product_description,route",
    "procedures_icd": "subject_id,hadm_id,seq_num,chartdate,icd_code,icd_version",
    "omr": "subject_id,chartdate,seq_num,result_name,result_value",
}
LAB = {"subject_id": "1", "itemid": "50912", "charttime": "2150-03-01 06:00:00", "valueuom": "mg/dL"}
ORDER = {
    "subject_id": "1",
    "drug_type": "MAIN",
    "drug": "PredniSONE",
    "route": "PO",
    "dose_val_rx": "10",
    "dose_unit_rx": "mg",
}
RUN = {"starttime": "2150-03-01 08:00:00", "stoptime": "2150-03-05 14:00:00"}


def hosp(**tables: list[Row]) -> Hosp:
    """The smallest hosp module, one patient with one stay, with the given tables put in."""
    base: Hosp = {
        "patients": [{"subject_id": "1", "gender": "F", "anchor_age": "40", "anchor_year": "2150"}],
        "admissions": [{"subject_id": "1", "hadm_id": "7", "admittime": "2150-02-27 10:00:00", "dischtime": "2150-03-09 12:00:00"}],
        "diagnoses_icd": [],
        "labevents": [],
        "d_labitems": [
            {"itemid": "50912", "label": "Creatinine", "fluid": "Blood", "category": "Chemistry"},
            {"itemid": "51082", "label": "Creatinine, Urine", "fluid": "Urine", "category": "Chemistry"},
            {"itemid": "51081", "label": "Creatinine, Serum", "fluid": "Urine", "category": "Chemistry"},
            {"itemid": "50946", "label": "Human Chorionic Gonadotropin", "fluid": "Blood", "category": "Chemistry"},
            {"itemid": "51516", "label": "WBC", "fluid": "Urine", "category": "Hematology"},
            {"itemid": "50873", "label": "Anti-Nuclear Antibody", "fluid": "Blood", "category": "Chemistry"},
            {"itemid": "50934", "label": "H", "fluid": "Blood", "category": "Chemistry"},
            {"itemid": "51099", "label": "Protein/Creatinine Ratio", "fluid": "Urine", "category": "Chemistry"},
        ],
    }
    return base | tables


def write(folder: Path, tables: Hosp, ending: str = ".csv", where: str = "hosp") -> Path:
    """The folder, holding the tables as files of the given kind."""
    target = folder / where
    target.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        columns = COLUMNS[table].split(",")
        opened = gzip.open if ending == ".csv.gz" else open
        path = target / (table + (".csv" if ending == ".parquet" else ending))
        with opened(path, "wt", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        if ending == ".parquet":
            duckdb.execute(f"copy (from read_csv('{path}', header = true)) to '{path.with_suffix('.parquet')}'")
            path.unlink()
    return folder


def read(into: Path, table: str) -> list[Row]:
    """Rows of one Parquet file that the door wrote, in the order of their first column."""
    con = duckdb.connect()
    cursor = con.execute(f"from read_parquet('{into / table}.parquet') order by 1")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def opened(folder: Path, **tables: list[Row]) -> Converted:
    """The native extract of a hand-made hosp module, and the counts of what was not used fully."""
    into = folder / "into"
    return into, convert(write(folder / "mimic", hosp(**tables)), into)


def reasons(row: Row) -> list[str]:
    """Why a native row could not be used fully."""
    return [] if row["unmapped"] is None else [reason.partition("=")[0] for reason in row["unmapped"].split(";")]


# --- the folder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "where"), [(".csv", "hosp"), (".csv.gz", "hosp"), (".csv", "."), (".parquet", ".")])
def test_every_form_of_the_folder_gives_the_same_extract(tmp_path: Path, ending: str, where: str) -> None:
    tables = {
        "labevents": [LAB | {"labevent_id": "5", "value": "1.2", "valuenum": "1.2"}],
        "prescriptions": [ORDER | RUN | {"pharmacy_id": "31"}, ORDER | RUN],  # a null makes pandas write 31.0
        "pharmacy": [RUN | {"subject_id": "1", "pharmacy_id": "31", "frequency": "BID", "doses_per_24_hrs": "2"}],
    }
    folder = write(tmp_path / "mimic", hosp(**tables), ending, where)
    assert recognises(folder)
    convert(folder, tmp_path / "into")
    (lab,) = read(tmp_path / "into", "labs")
    assert (lab["lab_id"], lab["code"], lab["value"]) == ("5", "2160-0", "1.2")
    orders = read(tmp_path / "into", "medications")
    assert [row["doses_per_day"] for row in orders] == [2.0, None]
    assert orders[0]["medication_id"].startswith("rx-31-")
    assert not [path for path in (tmp_path / "into").iterdir() if path.name.startswith(".")], "nothing is left of the work"


def test_other_folders_are_not_recognised(tmp_path: Path) -> None:
    for name in ("patients.csv", "labs.csv", "PERSON.csv"):
        (tmp_path / name).write_text("a\n")
    assert not recognises(tmp_path)


@pytest.mark.parametrize("table", ["patients", "admissions", "diagnoses_icd", "labevents", "d_labitems"])
def test_a_missing_required_table_is_refused_in_one_line(tmp_path: Path, table: str) -> None:
    folder = write(tmp_path / "mimic", hosp())
    (folder / "hosp" / f"{table}.csv").unlink()
    with pytest.raises(ContractBroken, match=rf"^{table}: is missing from the MIMIC-IV folder.*{table}\.parquet$"):
        convert(folder, tmp_path / "into")


def test_an_absent_optional_table_is_absent_in_the_extract(tmp_path: Path) -> None:
    into, _ = opened(tmp_path)
    assert {path.stem for path in into.glob("*.parquet")} >= {"patients", "diagnoses", "labs", "medications"}
    assert not (into / "procedures.parquet").exists(), "no procedures_icd: what it would tell is unknown, never no"
    assert not (into / "observations.parquet").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labevents.csv", "", "labevents.csv: is empty, without even a header"),
        ("labevents.csv", "labevent_id,subject_id\n", "labevents.csv: the column itemid of MIMIC-IV is missing"),
        ("labevents.csv", COLUMNS["labevents"] + "\nsecret,1\n", "labevents.csv: cannot be read at line 2"),
        (
            "labevents.csv.gz",
            "x",
            "labevents: is there in two forms, labevents.csv.gz and labevents.csv; allowed is one",
        ),
        ("omr.csv", COLUMNS["omr"] + ",omr\n" + '"secret', "omr.csv: cannot be read at line 2"),
        ("omr.csv", COLUMNS["omr"] + ",seq_num\n", "omr.csv: a column is there twice in the header"),
        ("omr.parquet", "PAR1", "omr.parquet: cannot be read"),
    ],
)
def test_a_broken_file_is_refused_without_its_cells(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = write(tmp_path / "mimic", hosp())
    (folder / "hosp" / name).write_text(text)
    with pytest.raises(ContractBroken) as refused:
        convert(folder, tmp_path / "into")
    assert str(refused.value) == message


def test_a_file_cut_off_in_the_middle_is_refused(tmp_path: Path) -> None:
    labs = [LAB | {"labevent_id": str(number), "value": str(random.random())} for number in range(20_000)]
    folder = write(tmp_path / "mimic", hosp(labevents=labs), ".csv.gz")
    path = folder / "hosp" / "labevents.csv.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ContractBroken, match=r"^labevents\.csv\.gz: cannot be read"):
        convert(folder, tmp_path / "into")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "mimic", hosp())
    (tmp_path / "outside.csv").write_text(COLUMNS["omr"] + "\n")
    (folder / "hosp" / "omr.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(ContractBroken, match=r"^omr\.csv: leads outside the extract's folder"):
        convert(folder, tmp_path / "into")


# --- patients -------------------------------------------------------------------------------------------------------


def test_day_d_is_the_last_event_not_the_death_and_not_an_order_that_never_ran(tmp_path: Path) -> None:
    never = {"starttime": "2150-03-20 08:00:00", "stoptime": "2150-03-12 08:00:00"}
    into, counts = opened(
        tmp_path,
        patients=[
            {"subject_id": "1", "gender": "F", "anchor_age": "40", "anchor_year": "2150", "dod": "2150-06-01"},
            {"subject_id": "2", "gender": "M", "anchor_age": "91", "anchor_year": "2160"},
        ],
        labevents=[LAB | {"labevent_id": "5", "value": "1.2", "charttime": "2150-03-10 23:59:00"}],
        prescriptions=[ORDER | never | {"pharmacy_id": "31"}],
    )
    first, second = read(into, "patients")
    assert first["index_date"] == date(2150, 3, 10), "the lab after the discharge of 9 March"
    assert (first["sex"], first["birth_year"], first["death_date"]) == ("female", 2110, date(2150, 6, 1))
    assert (second["sex"], second["birth_year"], second["index_date"]) == ("male", 2069, date(2160, 12, 31))
    assert counts["patients"] == {"age_above_89": 1, "no_event": 1}


def test_a_diagnosis_is_known_from_the_discharge(tmp_path: Path) -> None:
    codes = [("1", "M3214", "10"), ("2", "7100", "9"), ("3", "X", "11")]
    rows = [{"subject_id": "1", "hadm_id": "7", "seq_num": seq, "icd_code": code, "icd_version": version} for seq, code, version in codes]
    into, counts = opened(tmp_path, diagnoses_icd=[*rows, rows[0] | {"hadm_id": "8"}])
    found = [(row["diagnosis_id"], row["code_system"], row["code"], row["recorded_date"]) for row in read(into, "diagnoses")]
    discharge = date(2150, 3, 9)
    assert found == [
        ("7-1", "ICD10CM", "M3214", discharge),
        ("7-2", "ICD9CM", "7100", discharge),
        ("7-3", "LOCAL", "X", discharge),
    ]
    assert counts["diagnoses"] == {"no_date": 1, "version_unknown": 1}
    assert read(into, "unmapped_rows") == [{"table": "diagnoses", "row_id": "8-1", "reason": "no_date"}]


# --- labs -----------------------------------------------------------------------------------------------------------


RESULTS = [  # value, valuenum, comments; what is read, why no more
    ("1.2", "1.2", "", "1.2", None),
    ("___", "1.2", "New reference range as of ___.", "1.2", None),
    ("", "", "NEG.", "NEG", None),
    ("___", "", "NEGATIVE.", "NEGATIVE", None),
    ("", "", "NEGATIVE.  RECOMMENDED FOLLOW-UP FOR POSITIVE HCV ANTIBODY: HCV VIRAL LOAD.", "NEGATIVE", None),
    ("", "", "POSITIVE *.", "POSITIVE", None),
    ("", "", "POSITIVE *.  TITER = 1:20.", "POSITIVE 1:20", None),
    ("", "", "NEGATIVE BY INDIRECT IMMUNOFLUORESCENCE.", "NEGATIVE", None),
    ("", "", "HBV DNA not detected.", "not detected", None),
    ("", "", "1:40.  PATTERN-SPECKLED.  ANA TITERS OF 1:40 OR 1:80 ARE COMMON.", "1:40", None),
    ("", "", "<0.01.  CTROPNT > 0.10 NG/ML SUGGESTS ACUTE MI.", "<0.01", None),
    ("", "", ">182*.", ">182", None),
    ("", "", "LESS THAN 10.", "<10", None),
    ("", "", "GREATER THAN 20 MG/DL.", ">20", None),
    ("", "", "GREATER THAN 20 NG/ML.", "___", "value_in_comment_unreadable"),
    ("", "", "Borderline Positive - C/W Titer of roughly 10 mIU/mL.", "___", "value_in_comment_unreadable"),
    ("", "", "Using this patient's age, estimated GFR = 42.", "___", "value_in_comment_unreadable"),
    ("", "", "VALUES <5 ARE NEGATIVE.", "___", "value_in_comment_unreadable"),
    ("", "", "60 IU/ML CORRESPONDS TO 1:80 TITER.", "___", "value_in_comment_unreadable"),
    ("", "", "ND .  Not Done, WBC <=0.1.", "___", "no_result"),
    ("", "", "___", "___", "no_value"),
    ("", "", "", "___", "no_value"),
    ("0-2", "", "", "<=2", "range_from_zero"),
    ("3-5", "", "", "3-5", "range"),
    (">300", "", "", ">300", None),
    ("NEG", "", "By DRVVT..  AND SILICA CLOTTING TIME.", "NEG", None),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The native rows of RESULTS."""
    labs = [
        LAB | {"labevent_id": f"{nth:03}", "value": value, "valuenum": number, "comments": comments}
        for nth, (value, number, comments, *_) in enumerate(RESULTS)
    ]
    into, _ = opened(tmp_path_factory.mktemp("results"), labevents=labs)
    return read(into, "labs")


@pytest.mark.parametrize("nth", range(len(RESULTS)), ids=lambda nth: "|".join(RESULTS[nth][:3]))
def test_the_result_is_found_and_never_guessed(results: list[Row], nth: int) -> None:
    *_, expected, reason = RESULTS[nth]
    row = results[nth]
    assert row["value"] == expected
    assert reasons(row) == ([] if reason is None else [reason])
    assert row["status"] == ("cancelled" if reason == "no_result" else None)
    assert "comments" not in row, "comments may hold what identifies"


def test_a_code_is_given_only_to_the_right_specimen(tmp_path: Path) -> None:
    items = ["50912", "51082", "51081", "50934", "99999"]
    labs = [LAB | {"labevent_id": item, "itemid": item, "value": "1"} for item in items]
    into, counts = opened(tmp_path, labevents=labs)
    found = {row["lab_id"]: (row["code_system"], row["code"], row["test_name"]) for row in read(into, "labs")}
    assert found == {
        "50912": ("LOINC", "2160-0", "Creatinine"),
        "51082": ("LOINC", "2161-8", "Creatinine, Urine"),
        "51081": ("LOCAL", "51081", "Creatinine, Serum [Urine, Chemistry]"),
        "50934": ("LOCAL", "50934", "H [Blood, Chemistry]"),
        "99999": ("LOCAL", "99999", "item 99999 []"),
    }
    assert counts["labs"] == {"no_loinc": 3}


def test_an_item_whose_fluid_is_not_the_maps_loses_its_code(tmp_path: Path) -> None:
    items = [{"itemid": "50912", "label": "Creatinine", "fluid": "Pleural", "category": "Chemistry"}]
    into, counts = opened(tmp_path, d_labitems=items, labevents=[LAB | {"labevent_id": "5", "value": "1"}])
    (row,) = read(into, "labs")
    assert (row["code_system"], row["test_name"]) == ("LOCAL", "Creatinine [Pleural, Chemistry]")
    assert counts["labs"] == {"fluid_differs": 1}


def test_units_limits_and_flags(tmp_path: Path) -> None:
    def lab(number: str, item: str, unit: str, **more: str) -> Row:
        return LAB | {"labevent_id": number, "itemid": item, "value": "3", "valueuom": unit} | more

    labs = [
        lab("1", "50912", "mg/dL", ref_range_lower="0.4", ref_range_upper="1.1", flag="abnormal"),
        lab("2", "50946", "mIU/mL", ref_range_lower="0", ref_range_upper="100000"),
        lab("3", "51516", "#/hpf", ref_range_lower="0", ref_range_upper="5"),
        lab("4", "50873", "N/A"),
        lab("5", "51099", "Ratio", flag="delta"),
    ]
    into, counts = opened(tmp_path, labevents=labs)
    found = [(row["unit"], row["ref_low"], row["ref_high"], row["flag"]) for row in read(into, "labs")]
    assert found == [
        ("mg/dL", 0.4, 1.1, "A"),
        (
            "mIU/mL",
            None,
            None,
            None,
        ),  # 0-100000 is what the method reports: 5000 would pass for a negative pregnancy test
        ("/HPF", 0.0, 5.0, None),
        (None, None, None, None),
        ("mg/mg", None, None, None),
    ]
    assert counts["labs"] == {"flag_unknown": 1, "limits_not_normal": 1}


# --- orders ---------------------------------------------------------------------------------------------------------


FREQUENCIES: list[tuple[str | None, str, float | None, bool]] = [  # frequency, doses_per_24_hrs; doses a day, as needed
    ("DAILY", "1", 1.0, False),
    ("BID", "", 2.0, False),
    ("Q 8H", "3", 3.0, False),
    ("Q48H", "0", 0.5, False),
    ("3X/WEEK", "0", 3 / 7, False),
    ("QTHUR", "", 1 / 7, False),
    ("5X/DAY", "5", 5.0, False),
    ("some new word", "4", 4.0, False),
    ("some new word", "0", None, False),
    ("Q6H:PRN", "", 4.0, True),
    ("Q6H:PRN", "2", 4.0, True),
    ("PRN", "0", None, True),
    ("ASDIR", "0", None, False),
    ("TITRATE TO", "", None, False),
    ("INFUSION", "0", None, False),
    (None, "2", None, False),  # without the pharmacy entry nobody knows whether it was as needed
]
INTERVALS: list[tuple[str, str, str, int, int | None, str, str | None]] = [  # all in March 2150
    ("DAILY", "01 08:00:00", "05 14:00:00", 1, 5, "stopped", None),  # a part of a day counts
    ("DAILY", "01 08:00:00", "05 00:00:00", 1, 4, "stopped", None),
    ("DAILY", "01 00:00:00", "01 00:00:00", 1, 1, "stopped", None),
    ("ONCE", "01 15:00:00", "02 14:00:00", 1, 1, "stopped", None),
    ("ONCE:PRN", "01 15:00:00", "02 14:00:00", 1, 2, "stopped", None),
    ("DAILY", "05 08:00:00", "04 22:00:00", 5, None, "cancelled", "stopped_before_start"),
    ("DAILY", "05 08:00:00", "", 5, None, "stopped", "no_stop"),
]
RANGES: list[tuple[str, str, str, tuple[float, float] | None, list[str]]] = [  # frequency, dose, unit; bounds a day
    ("DAILY", "5-10", "mg", (5, 10), ["dose_range"]),
    ("Q8H", "0.5 - 1", "mg", (1.5, 3), ["dose_range"]),
    ("3X/WEEK", "7-14", "mg", (3, 6), ["dose_range"]),
    ("ONCE MR1", "10", "mg", (10, 20), ["frequency_range"]),
    ("ONCE MR1", "5-10", "mg", (5, 20), ["dose_range", "frequency_range"]),
    ("Q6H:PRN", "5-10", "mg", (0, 40), ["dose_range"]),
    ("DAILY", "0-5", "mg", (0, 5), ["dose_range"]),
    ("DAILY", "1000-4000", "UNIT", None, ["dose_range_unknown"]),  # one dose, not a flush of 1000 and 3000 more
    ("ASDIR", "5-10", "mg", None, ["dose_range_unknown", "frequency_unknown"]),
    ("DAILY", "10-5", "mg", None, ["dose_unreadable"]),
    ("DAILY", "___", "mg", None, ["dose_unreadable"]),
    ("DAILY", "", "", None, ["no_dose"]),
    ("DAILY", "25,000", "UNIT", (25_000, 25_000), []),
    ("DAILY", "1,2", "mg", None, ["dose_unreadable"]),
]
UNITS: list[tuple[Row, float, str | None, str, list[str]]] = [
    ({"dose_unit_rx": "gm"}, 10, "g", "oral", []),
    ({"dose_unit_rx": "mcg"}, 10, "ug", "oral", []),
    ({"dose_unit_rx": "UNIT", "route": "SC"}, 10, "IU", "sc", []),
    ({"dose_unit_rx": "TAB", "route": "PO/NG"}, 10, "TAB", "oral", ["dose_not_in_mass"]),
    ({"dose_unit_rx": "mg/day", "route": "TD"}, 10, "mg/day", "other", ["unit_unknown"]),
    ({"dose_unit_rx": "", "route": "IV DRIP"}, 10, None, "iv", ["unit_unknown"]),
    ({"route": "DWELL"}, 10, "mg", "other", []),
    ({"route": "BOTH EYES"}, 10, "mg", "ophthalmic", []),
    ({"route": "PLUTO"}, 10, "mg", "PLUTO", ["route_unknown"]),
    ({"drug_type": "BASE", "drug": "5% Dextrose", "dose_unit_rx": "mL"}, 10, "mL", "oral", ["diluent"]),
    ({"drug": "Heparin Flush (10 units/ml)", "dose_unit_rx": "mL", "route": "IV"}, 100, "IU", "iv", []),  # by its name
]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """The native rows of each order of the lists above, by its pharmacy_id: the list's letter and the place in it."""
    prescriptions: list[Row] = []
    pharmacy: list[Row] = []

    def add(pharmacy_id: str, frequency: str | None, per_24: str = "", **order: str) -> None:
        shared = {"pharmacy_id": pharmacy_id, "doses_per_24_hrs": per_24}
        prescriptions.append(ORDER | RUN | shared | order)
        if frequency is not None:
            pharmacy.append({"subject_id": "1", "status": "Discontinued", "frequency": frequency} | shared)

    for nth, (frequency, per_24, *_) in enumerate(FREQUENCIES):
        add(f"F{nth}", frequency, per_24)
    for nth, (frequency, start, stop, *_) in enumerate(INTERVALS):
        add(f"I{nth}", frequency, starttime=f"2150-03-{start}", stoptime=stop and f"2150-03-{stop}")
    for nth, (frequency, dose, unit, *_) in enumerate(RANGES):
        add(f"R{nth}", frequency, dose_val_rx=dose, dose_unit_rx=unit)
    for nth, (order, *_) in enumerate(UNITS):
        add(f"U{nth}", "DAILY", **order)
    into, _ = opened(tmp_path_factory.mktemp("orders"), prescriptions=prescriptions, pharmacy=pharmacy)
    found: dict[str, list[Row]] = {}
    for row in read(into, "medications"):
        found.setdefault(row["medication_id"].split("-")[1], []).append(row)
    return found


@pytest.mark.parametrize("nth", range(len(FREQUENCIES)), ids=lambda nth: str(FREQUENCIES[nth][0]))
def test_frequencies(orders: dict[str, list[Row]], nth: int) -> None:
    *_, doses, as_needed = FREQUENCIES[nth]
    (row,) = orders[f"F{nth}"]
    assert (row["dose_value"], row["dose_unit"]) == (10.0, "mg")
    assert (row["doses_per_day"], row["as_needed"]) == (doses, as_needed)
    assert reasons(row) == ([] if doses is not None else ["frequency_unknown"])


@pytest.mark.parametrize("nth", range(len(INTERVALS)), ids=lambda nth: "|".join(INTERVALS[nth][:3]))
def test_intervals(orders: dict[str, list[Row]], nth: int) -> None:
    *_, first, last, status, reason = INTERVALS[nth]
    (row,) = orders[f"I{nth}"]
    assert row["start_date"] == date(2150, 3, first)
    assert row["end_date"] == (None if last is None else date(2150, 3, last))
    assert row["status"] == status
    assert reasons(row) == ([] if reason is None else [reason])


def bounds(rows: list[Row]) -> tuple[float, float] | None:
    """Daily dose [low, high] of rows that run together: as-needed rows add [0, dose], others their dose; or None."""
    if any(row["dose_value"] is None or row["doses_per_day"] is None for row in rows):
        return None
    doses = [(row["dose_value"] * row["doses_per_day"], row["as_needed"]) for row in rows]
    return sum(dose for dose, as_needed in doses if not as_needed), sum(dose for dose, _ in doses)


@pytest.mark.parametrize("nth", range(len(RANGES)), ids=lambda nth: "|".join(RANGES[nth][:3]))
def test_a_dose_range_gives_its_bounds_and_no_guess(orders: dict[str, list[Row]], nth: int) -> None:
    *_, expected, why = RANGES[nth]
    fixed, *more = orders[f"R{nth}"]
    assert bounds([fixed, *more]) == (None if expected is None else pytest.approx(expected))
    assert reasons(fixed) == why
    for row in more:
        assert row["medication_id"] == fixed["medication_id"] + "-range"
        assert reasons(row) == ["second_row_of_range"]
        assert (fixed["as_needed"], row["as_needed"]) == (False, True)
        same = ("patient_id", "drug_name", "route", "dose_unit", "start_date", "end_date", "kind", "status")
        assert [row[column] for column in same] == [fixed[column] for column in same]


@pytest.mark.parametrize("nth", range(len(UNITS)), ids=lambda nth: "|".join(UNITS[nth][0].values()))
def test_units_and_routes(orders: dict[str, list[Row]], nth: int) -> None:
    _, dose, unit, route, why = UNITS[nth]
    (row,) = orders[f"U{nth}"]
    assert (row["dose_value"], row["dose_unit"], row["route"]) == (dose, unit, route)
    assert reasons(row) == why


def test_a_pharmacy_entry_without_prescription_is_an_order_and_without_a_name_is_listed(tmp_path: Path) -> None:
    entry = RUN | {"subject_id": "1", "status": "Expired", "frequency": "DAILY", "doses_per_24_hrs": "1"}
    entries = [entry | {"pharmacy_id": "31", "medication": "PredniSONE", "route": "PO"}, entry | {"pharmacy_id": "32"}]
    into, counts = opened(tmp_path, pharmacy=entries)
    (row,) = read(into, "medications")
    assert (row["medication_id"], row["drug_name"], row["dose_value"]) == ("ph-31", "PredniSONE", None)
    assert (row["kind"], row["status"], row["doses_per_day"]) == ("order", "completed", 1.0)
    assert counts["medications"] == {"no_dose": 1, "no_drug_name": 1, "no_prescription": 1}
    assert read(into, "unmapped_rows") == [{"table": "medications", "row_id": "ph-32", "reason": "no_drug_name"}]


# --- administrations ------------------------------------------------------------------------------------------------


EVENTS: list[tuple[str, list[tuple[str, str]], float | None, str, str, list[str]]] = [  # event, pieces; what is read
    ("Administered", [("20", "mg"), ("20", "mg")], 40.0, "administration", "completed", []),
    ("Delayed Administered", [("5", "mg")], 5.0, "administration", "completed", []),
    ("Partial Administered", [("0.1", "mg"), ("0.2", "mg")], 0.3, "administration", "completed", []),
    ("Started", [("1", "gm")], 1.0, "administration", "completed", []),
    ("Administered", [("20", "mg"), ("___", "mg")], None, "administration", "completed", ["administered_dose_unknown"]),
    ("Administered", [("20", "mg"), ("1", "TAB")], None, "administration", "completed", ["administered_dose_unknown"]),
    ("Administered in Other Location", [], None, "administration", "completed", ["administered_dose_unknown"]),
    ("Confirmed", [], None, "administration", "completed", ["infusion_dose_unknown"]),
    ("Not Given", [("20", "mg")], None, "administration", "cancelled", ["not_given"]),
    ("Hold Dose", [], None, "administration", "cancelled", ["not_given"]),
    ("Stopped", [("20", "mg")], None, "administration", "cancelled", ["no_giving"]),
    ("", [("8", "mg")], 8.0, "administration", "completed", ["blank_event_read_as_given"]),
    ("", [], None, "statement", "completed", ["event_unclear", "administered_dose_unknown"]),
    (" in Other Location", [], None, "statement", "completed", ["event_unclear", "administered_dose_unknown"]),
    ("Thrown", [("8", "mg")], 8.0, "statement", "completed", ["event_unknown", "event_unclear"]),
]


@pytest.fixture(scope="module")
def administrations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The native rows of EVENTS, by their place in it."""
    emar, details = [], []
    for nth, (event, pieces, *_) in enumerate(EVENTS):
        entry = {"subject_id": "1", "emar_id": f"1-{nth}"}
        emar.append(entry | {"charttime": "2150-03-02 08:10:00", "event_txt": event, "medication": "PredniSONE"})
        details.append(entry | {"route": "PO"})
        details += [
            entry | {"parent_field_ordinal": f"1.{number}", "dose_given": dose, "dose_given_unit": unit}
            for number, (dose, unit) in enumerate(pieces, 1)
        ]
    into, _ = opened(tmp_path_factory.mktemp("administrations"), emar=emar, emar_detail=details)
    return {row["medication_id"].removeprefix("emar-1-"): row for row in read(into, "medications")}


@pytest.mark.parametrize("nth", range(len(EVENTS)), ids=lambda nth: f"{EVENTS[nth][0]} {EVENTS[nth][1]}")
def test_events_and_doses(administrations: dict[str, Row], nth: int) -> None:
    *_, dose, kind, status, why = EVENTS[nth]
    row = administrations[str(nth)]
    assert (row["dose_value"], row["kind"], row["status"]) == (dose, kind, status)
    assert (row["start_date"], row["end_date"]) == (date(2150, 3, 2), date(2150, 3, 2))
    assert row["as_needed"] is (kind == "statement"), "given or not: the dose counts as [0, dose]"
    assert reasons(row) == why


def test_name_and_route_come_from_the_order_where_the_entry_has_none(tmp_path: Path) -> None:
    emar = [
        {"subject_id": "1", "emar_id": f"1-{nth}", "pharmacy_id": pharmacy, "charttime": "2150-03-02 08:10:00"}
        | {"event_txt": "Administered", "medication": name}
        for nth, (pharmacy, name) in enumerate([("31", ""), ("32", ""), ("33", "PredniSONE"), ("", "")])
    ]
    order = ORDER | RUN | {"pharmacy_id": "32", "route": "IV"}
    into, counts = opened(
        tmp_path,
        emar=emar,
        pharmacy=[
            RUN | {"subject_id": "1", "pharmacy_id": "31", "medication": "Tacrolimus", "route": "PO", "frequency": "DAILY"},
            RUN | {"subject_id": "1", "pharmacy_id": "32", "route": "IV", "frequency": "DAILY"},
        ],
        prescriptions=[order | {"drug": "Rituximab"}, order | {"drug_type": "BASE", "drug": "5% Dextrose"}],
    )
    found = {row["medication_id"]: (row["drug_name"], row["route"]) for row in read(into, "medications")}
    assert found["emar-1-0"] == ("Tacrolimus", "oral")
    assert found["emar-1-1"] == ("Rituximab", "iv"), "the diluent is not what was given"
    assert found["emar-1-2"] == ("PredniSONE", None)
    assert "emar-1-3" not in found
    assert counts["medications"]["no_drug_name"] == 1
    assert read(into, "unmapped_rows") == [{"table": "medications", "row_id": "emar-1-3", "reason": "no_drug_name"}]


# --- procedures and readings ----------------------------------------------------------------------------------------


def test_procedures(tmp_path: Path) -> None:
    row = {"subject_id": "1", "hadm_id": "7", "chartdate": "2150-03-03"}
    procedures = [
        row | {"seq_num": "1", "icd_code": "5A1D70Z", "icd_version": "10"},
        row | {"seq_num": "2", "icd_code": "3995", "icd_version": "9"},
    ]
    into, _ = opened(tmp_path, procedures_icd=procedures)
    assert [tuple(row.values()) for row in read(into, "procedures")] == [
        ("7-1", "1", "ICD10PCS", "5A1D70Z", date(2150, 3, 3), None),
        ("7-2", "1", "ICD9CM", "3995", date(2150, 3, 3), None),
    ]


def test_readings(tmp_path: Path) -> None:
    readings = [
        ("Weight (Lbs)", "150.4"),
        ("Height (Inches)", "65"),
        ("Blood Pressure", "120/80"),
        ("Blood Pressure Sitting", "refused"),
        ("BMI (kg/m2)", "25"),
        ("eGFR", "60"),
        ("Weight (Lbs)", ""),
    ]
    rows = [
        {"subject_id": "1", "chartdate": "2150-03-04", "seq_num": str(nth), "result_name": name, "result_value": value}
        for nth, (name, value) in enumerate(readings, 1)
    ]
    into, counts = opened(tmp_path, omr=rows)
    found = {row["observation_id"]: (row["code_system"], row["code"], row["value"], row["unit"]) for row in read(into, "observations")}
    assert found == {
        "1-2150-03-04-weight-lbs-1": ("LOINC", "29463-7", "150.4", "lb"),
        "1-2150-03-04-height-inches-2": ("LOINC", "8302-2", "65", "in"),
        "1-2150-03-04-blood-pressure-3-s": ("LOINC", "8480-6", "120", "mmHg"),
        "1-2150-03-04-blood-pressure-3-d": ("LOINC", "8462-4", "80", "mmHg"),
        "1-2150-03-04-blood-pressure-sitting-4": ("LOCAL", "Blood Pressure Sitting", "refused", "mmHg"),
        "1-2150-03-04-bmi-kg-m2-5": ("LOCAL", "BMI (kg/m2)", "25", "kg/m2"),
        "1-2150-03-04-egfr-6": ("LOCAL", "eGFR", "60", None),
    }
    assert counts["observations"] == {"blood_pressure_unreadable": 1, "no_loinc": 2, "no_value": 1}
    assert [row["reason"] for row in read(into, "unmapped_rows")] == ["no_value"]


def test_each_reason_is_counted_and_listed_with_its_word(tmp_path: Path) -> None:
    order = ORDER | RUN | {"pharmacy_id": "31", "dose_unit_rx": "mg/day"}
    entry = {"subject_id": "1", "pharmacy_id": "31", "frequency": "ASDIR"}
    into, counts = opened(tmp_path, prescriptions=[order, order | {"drug": "Tacrolimus"}], pharmacy=[entry])
    assert counts["medications"] == {"frequency_unknown": 2, "unit_unknown": 2}
    assert [tuple(row.values()) for row in read(into, "unmapped_terms")] == [
        ("medications", "frequency_unknown", "ASDIR", 2),
        ("medications", "unit_unknown", "mg/day", 2),
    ]


# --- the maps -------------------------------------------------------------------------------------------------------


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", sorted(MAPS.glob("mimiciv_*.csv")), ids=lambda path: path.stem)
def test_every_row_of_a_map_has_its_source_and_stands_once(path: Path) -> None:
    rows = rows_of(path)
    assert all(row["source"] for row in rows)
    key = {"mimiciv_labitems": 4, "mimiciv_columns": 2, "mimiciv_lab_units": 2, "mimiciv_strengths": 2}.get(path.stem, 1)
    keys = [tuple(value.lower() for value in list(row.values())[:key]) for row in rows]
    assert len(set(keys)) == len(keys)


def test_lab_items_have_one_trusted_code_with_a_right_check_digit() -> None:
    items = [row for row in rows_of(MAPS / "mimiciv_labitems.csv") if row["status"] == "active"]
    assert {row["status"] for row in rows_of(MAPS / "mimiciv_labitems.csv")} == {"active", "retired"}
    assert len({row["itemid"] for row in items}) == len(items)
    for row in items:
        digits, check = row["loinc"].split("-")
        doubled = [int(digit) * (2 if nth % 2 == 0 else 1) for nth, digit in enumerate(reversed(digits))]
        assert (10 - sum(number // 10 + number % 10 for number in doubled) % 10) % 10 == int(check), row["itemid"]


def test_no_urine_or_fluid_item_has_the_code_of_a_blood_analyte() -> None:
    urine = {
        "urine_protein_creatinine_ratio",
        "urine_protein_24h",
        "urine_rbc",
        "urine_wbc",
        "urine_casts",
        "hcg_urine",
    }
    either = {"creatinine_clearance"}  # measured from urine and serum
    analyte_of = {
        loinc: row["analyte"]
        for row in rows_of(ROOT / "transforms" / "normalise" / "maps" / "analytes.csv")
        for loinc in row["loinc"].split("|")
    }
    checked = 0
    for row in rows_of(MAPS / "mimiciv_labitems.csv"):
        analyte = analyte_of.get(row["loinc"])
        if row["status"] == "active" and analyte is not None and analyte not in either:
            assert row["fluid"] == ("Urine" if analyte in urine else "Blood"), row["itemid"]
            checked += 1
    assert checked > 60


# --- order of rows, and the real demo -------------------------------------------------------------------------------


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    labs = [LAB | {"labevent_id": str(number), "value": str(number)} for number in range(50)]
    orders = [ORDER | RUN | {"pharmacy_id": str(number // 2), "dose_val_rx": f"{number}-{number + 1}"} for number in range(50)]
    pharmacy = [{"subject_id": "1", "pharmacy_id": str(number), "frequency": "DAILY"} for number in range(25)]
    found = []
    for nth in range(2):
        shuffled = [random.Random(nth).sample(rows, len(rows)) for rows in (labs, orders, pharmacy)]
        names = ("labevents", "prescriptions", "pharmacy")
        into, _ = opened(tmp_path / str(nth), **dict(zip(names, shuffled, strict=True)))
        found.append([read(into, table) for table in ("labs", "medications", "patients")])
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The native extract of the demo, and its counts."""
    into = tmp_path_factory.mktemp("demo")
    return into, convert(DEMO, into)


def raw(table: str) -> str:
    """The SQL of a table of the demo, as text."""
    return f"read_csv('{DEMO}/hosp/{table}.csv.gz', header = true, all_varchar = true, delim = ',', quote = '\"')"


def one(query: str) -> Any:
    """The only cell of a query's answer."""
    return duckdb.connect().execute(query).fetchall()[0][0]


@demo_only
def test_demo_every_row_is_a_native_row_or_listed(demo: Converted) -> None:
    into, counts = demo
    lost = f"select count(*) from read_parquet('{into}/unmapped_rows.parquet') where \"table\" = "
    out = {path.stem: one(f"select count(*) from read_parquet('{path}')") for path in into.glob("*.parquet")}
    came = {table: one(f"select count(*) from {raw(table)}") for table in COLUMNS}
    alone = one(f"select count(*) from {raw('pharmacy')} as p anti join {raw('prescriptions')} as x on p.pharmacy_id = x.pharmacy_id")
    pressures = one(f"select count(*) from {raw('omr')} where result_name like 'Blood Pressure%'")
    assert out["patients"] == came["patients"] == 100
    assert out["diagnoses"] == came["diagnoses_icd"]
    assert out["procedures"] == came["procedures_icd"]
    assert out["labs"] == came["labevents"] == 107_727
    assert out["observations"] == came["omr"] + pressures
    assert (
        came["prescriptions"] + alone + came["emar"]
        == out["medications"] + one(lost + "'medications'") - counts["medications"]["second_row_of_range"]
    )
    assert one(lost + "'labs'") == 0


@demo_only
def test_demo_keeps_the_contract(demo: Converted) -> None:
    into, _ = demo
    for table in ("patients", "diagnoses", "labs", "medications", "procedures", "observations"):
        path = f"read_parquet('{into}/{table}.parquet')"
        assert one(f"select count(*) - count(distinct #1) from {path}") == 0, table
        required = {"labs": "value", "observations": "value", "medications": "start_date"}.get(table, "patient_id")
        assert one(f"select count(*) from {path} where {required} is null or patient_id is null") == 0, table
    medications = f"read_parquet('{into}/medications.parquet')"
    assert one(f"select count(*) from {medications} where end_date < start_date or doses_per_day <= 0") == 0
    late = f"""
        select count(*) from read_parquet('{into}/patients.parquet') as p
        join read_parquet('{into}/labs.parquet') as l using (patient_id) where l.collected_at::date > p.index_date
    """
    assert one(late) == 0


@demo_only
def test_demo_limits_of_protocol_analytes_are_limits_of_normal(demo: Converted) -> None:
    into, _ = demo
    widest = f"select max(ref_high) from read_parquet('{into}/labs.parquet') where code in ('19080-1', '54206-8', '38180-6')"
    assert one(widest) is None


@demo_only
@pytest.mark.parametrize(
    ("pharmacy_id", "expected"),  # read by hand in prescriptions and pharmacy
    [
        ("86128896", ("oral", 40, 1, "2148-06-25", "2148-06-27", False)),  # DAILY, 16:00 to 17:00 two days on
        ("97657425", ("oral", 20, 1, "2148-07-05", "2148-07-07", False)),  # DAILY, to 07:00
        ("49460493", ("oral", 30, 1, "2148-06-30", None, False)),  # discharged before it began
        ("27323797", ("oral", 20, 1 / 7, "2137-02-10", "2137-02-18", False)),  # 1X/WEEK
        ("65795937", ("iv", 50, 4, "2137-08-22", "2137-08-24", False)),  # Q6H
        ("29949340", ("iv", 10, None, "2143-03-05", "2143-03-16", False)),  # ASDIR
        ("38868968", ("iv", 8, 1, "2150-03-27", "2150-03-27", False)),  # ONCE, stop written for the next morning
        ("38482666", ("iv", 100, 1, "2112-12-11", "2112-12-11", True)),  # ONCE:PRN
        ("21306182", ("iv", 4, 3, "2154-04-25", "2154-04-28", False)),  # Q8H from 00:00
        ("42711003", ("oral", 32, 1, "2147-06-18", "2147-06-19", False)),
    ],
)
def test_demo_glucocorticoid_orders(demo: Converted, pharmacy_id: str, expected: tuple[Any]) -> None:
    query = f"""
        select route, dose_value, doses_per_day, start_date::varchar, end_date::varchar, as_needed
        from read_parquet('{demo[0]}/medications.parquet') where starts_with(medication_id, 'rx-{pharmacy_id}-')
    """
    assert duckdb.connect().execute(query).fetchall() == [expected]


@demo_only
@pytest.mark.parametrize(
    ("emar_id", "expected"),  # read by hand in emar and emar_detail
    [
        ("10005817-101", ("Dexamethasone", "iv", 8, "mg", "2135-01-06", "completed")),  # 4 + 4
        ("10014354-1420", ("PredniSONE", "oral", 30, "mg", "2148-07-02", "completed")),  # 10 + 10 + 10
        ("10008287-37", ("Dexamethasone", "iv", 2, "mg", "2145-09-29", "completed")),
        (
            "10008287-33",
            ("Dexamethasone", None, None, None, "2145-09-28", "completed"),
        ),  # in another location, no detail
        (
            "10040025-551",
            ("Methylprednisolone", "oral", 24, "mg", "2147-06-19", "completed"),
        ),  # blank event, 8 + 8 + 8 …
        (
            "10040025-558",
            ("Methylprednisolone", "oral", 8, "mg", "2147-06-19", "completed"),
        ),  # … and 8: the 32 that were due
        ("10035631-1657", ("MethylPREDNISolone Sodium Succ", "iv", 75, "mg", "2116-03-11", "completed")),
        ("10035631-1615", ("MethylPREDNISolone Sodium Succ", None, None, None, "2116-03-10", "cancelled")),  # not given
        ("10019003-762", ("PredniSONE", None, None, None, "2155-07-14", "cancelled")),  # not given
        ("10037928-195", ("Dexamethasone Ophthalmic Soln 0.1%", "other", 3, "DROP", "2178-10-02", "completed")),  # ear
    ],
)
def test_demo_glucocorticoid_administrations(demo: Converted, emar_id: str, expected: tuple[Any]) -> None:
    query = f"""
        select drug_name, route, dose_value, dose_unit, start_date::varchar, status
        from read_parquet('{demo[0]}/medications.parquet') where medication_id = 'emar-{emar_id}'
    """
    assert duckdb.connect().execute(query).fetchall() == [expected]


@demo_only
def test_demo_day_d_is_the_last_day_of_the_record(demo: Converted) -> None:
    patients = {row["patient_id"]: row for row in read(demo[0], "patients")}
    last_lab = one(f"select max(charttime) from {raw('labevents')} where subject_id = '10014354'")
    assert patients["10014354"]["index_date"] >= datetime.fromisoformat(last_lab).date()
    assert patients["10003400"]["death_date"] == date(2137, 9, 2)
    assert patients["10003400"]["birth_year"] == 2134 - 72
