"""Writes sample_data/expected, the golden results of the shipped extract, anew; their diff is read before it is committed.

python -m sample_data.golden
"""

import shutil
import tempfile
from pathlib import Path

import polars as pl

from flows.nightly import nightly
from flows.settings import Settings

HERE = Path(__file__).parent
COPIED = ("candidates.csv", "funnel.csv", "completeness.csv", "unmapped.csv")
VERDICTS = ["patient_id", "item_id", "verdict", "basis", "reason_code", "evidence_date", "next_date", "fail_kind"]


def main() -> None:
    """Run the main job and keep what the test compares."""
    with tempfile.TemporaryDirectory() as folder:
        run, _ = nightly(Settings(HERE / "native", Path(folder)))
        (HERE / "expected").mkdir(exist_ok=True)
        for name in COPIED:
            shutil.copyfile(run / name, HERE / "expected" / name)
        pl.read_parquet(run / "verdicts.parquet", columns=VERDICTS).write_csv(HERE / "expected" / "verdicts.csv")


if __name__ == "__main__":
    main()
