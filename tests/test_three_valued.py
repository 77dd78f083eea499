"""What an absent table would have told is unknown, never no: without it, nothing becomes a pass that was none."""

from pathlib import Path

import polars as pl
import pytest

from data_contracts import gate
from flows.settings import Settings
from flows.steps import choose
from rules import engine
from rules.parameters import parameters
from sample_data.make_sample import make_sample
from tests import cases
from transforms import cohort, store
from transforms.features.build import derive
from transforms.ingest import native
from transforms.normalise.build import normalise

# Items to which a table only adds evidence against the patient, so that without it the protocol reads the other tables
# alone; of observations also a recorded SLEDAI-2K total (I04) and the weight, for which 40 kg stands in (E02b). Reviews
# of descriptors and classification items say "absent" where records say "present" (I01, I04).
ADDS_EVIDENCE = {
    "procedures": {"E02a", "E06", "E07", "E16b"},
    "observations": {"E02b", "E16b", "I04"},
    "immunizations": set(),
    "chart_reviews": {"I01", "I04"},
    "dispositions": set(),
}  # fmt: skip


def outcomes(extract: Path, work: Path) -> pl.DataFrame:
    """One row per patient and item, before chart reviews: patient_id, item_id, verdict, basis."""
    work.mkdir()
    con = store.connect()
    gate.check(
        con,
        native.stage(extract, work),
        as_of=cases.DAY,
        max_rejected_share=1,
        min_rejected_rows=10**6,
        choose=lambda con: choose(con, parameters({"cohort": "all"}), Settings(extract, work)),
    )
    cohort.pull(con)
    normalise(con)
    engine.load_table_macros(con)
    derive(con)
    engine.evaluate(con)
    found: pl.DataFrame = con.sql("select patient_id, item_id, verdict, basis from rule.outcomes").pl()
    return found


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic extract with patients of every tier, without extract.json, which would name every table."""
    folder = tmp_path_factory.mktemp("sample") / "extract"
    make_sample(folder, 90, 5, sle_share=0.8, history_years=1.5, worked_up_share=0.6)
    (folder / "extract.json").unlink()
    return folder


@pytest.fixture(scope="module")
def whole(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The outcomes of the whole sample."""
    return outcomes(sample, tmp_path_factory.mktemp("whole") / "work")


@pytest.mark.slow
@pytest.mark.parametrize("table", ADDS_EVIDENCE)
def test_an_absent_table_makes_nothing_a_pass(table: str, sample: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    lessened = tmp_path / "extract"
    lessened.mkdir()
    for file in sample.iterdir():
        if file.stem != table:
            (lessened / file.name).write_bytes(file.read_bytes())
    assert len(list(lessened.iterdir())) == len(list(sample.iterdir())) - 1
    without = outcomes(lessened, tmp_path / "work")
    became_a_pass = whole.join(without, on=["patient_id", "item_id"], suffix="_without").filter(
        (pl.col("verdict_without") == "pass") & (pl.col("verdict") != "pass") & ~pl.col("item_id").is_in(ADDS_EVIDENCE[table])
    )
    assert became_a_pass.is_empty(), became_a_pass


def test_the_sample_tells_something(whole: pl.DataFrame) -> None:
    counts = dict(whole.group_by("verdict").len().iter_rows())
    assert all(counts.get(verdict, 0) > 5 for verdict in ("pass", "fail", "review", "unknown"))
