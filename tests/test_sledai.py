"""SLEDAI-2K: the cases of transforms/features/sledai.cases.md, and what must hold of any patient."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import cases
from tests.cases import DAY
from tests.states import TESTS, a_patient, assess, differing, later, shuffled, states, together, totals
from transforms.store import csv_frame

CASES = Path(__file__).parents[1] / "transforms" / "features" / "sledai.cases.md"
QUALIFYING = {code: (values[0], unit) for code, (values, unit) in TESTS.items()}


@pytest.mark.parametrize("section", list(cases.sections(CASES)), ids=lambda s: s.title)
def test_descriptors(section: cases.Section, tmp_path: Path) -> None:
    assert not differing(section, cases.run(section, tmp_path, only="I04"))


def test_weights_add_up_to_the_greatest_score() -> None:
    items = csv_frame("transforms.features", "sledai_items.csv")
    assert items["item_id"].to_list() == [f"S{number:02d}" for number in range(1, 25)]
    assert items["weight"].cast(int).sum() == 105


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_changes_no_state(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another order of the rows, rows known only after day D; low is never above high."""
    rng = Random(seed)
    patients = {}
    for number in range(80):
        rows = a_patient(rng)
        patients[f"{number}"] = rows
        patients[f"{number} shuffled"] = shuffled(rows, rng)
        patients[f"{number} later"] = together(rows, later(rng))
    con = assess(patients, tmp_path_factory.mktemp("states"))
    found, bounds = states(con), totals(con)
    for (name, item), state in found.items():
        base = name.split()[0]
        assert {**state, "patient_id": base} == found[base, item], (name, item)
    for name, row in bounds.items():
        assert 0 <= int(row["sledai_low"]) <= int(row["sledai_high"]) <= 105, name
        assert 0 <= int(row["class_low"]) <= int(row["class_high"]) <= 51, name


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_qualifying_result_never_lowers_what_is_proven(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    rng = Random(seed)
    patients = {}
    for number in range(40):
        rows = a_patient(rng)
        patients[f"{number}"] = rows
        for code, (value, unit) in QUALIFYING.items():
            more = {"code": code, "value": value, "unit": unit, "collected_at": str(DAY)}
            patients[f"{number} {code}"] = together(rows, {"labs": [more]})
    bounds = totals(assess(patients, tmp_path_factory.mktemp("more")))
    for name, row in bounds.items():
        before = bounds[name.split()[0]]
        assert int(row["sledai_low"]) >= int(before["sledai_low"]), name
        assert int(row["class_low"]) >= int(before["class_low"]), name
