"""kill -9 at random moments of real runs: latest stays whole, the next run's files are those of an undisturbed one.

``make kills`` does it 25 times on 2,000 patients; here ZM001_KILLS (default 4) on ZM001_KILL_PATIENTS (default 200).
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from sample_data.make_sample import make_sample
from tests.killed import prove_whole
from tests.runs import match, record
from transforms.publish import folder

KILLS = int(os.environ.get("ZM001_KILLS", "4"))
PATIENTS = int(os.environ.get("ZM001_KILL_PATIENTS", "200"))
RUN_ID = re.compile(folder.RUN_ID.pattern.encode())
COMMAND = [sys.executable, "-c", "from flows.cli import main; main()", "match"]


def start(extract: Path, out: Path) -> subprocess.Popen[str]:
    """A run of its own process."""
    return subprocess.Popen([*COMMAND, extract, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, run: subprocess.Popen[str]) -> float:
    """When a path is there, or the run has ended."""
    while not path.exists() and run.poll() is None:
        time.sleep(0.005)
    return time.monotonic()


def assert_same_files(one: Path, other: Path) -> None:
    """Every file but run.json has the same bytes, but for the run's own id in pages; Parquet the same rows in the same order."""
    names = sorted(entry["path"] for entry in record(one)["published"])
    assert names == sorted(entry["path"] for entry in record(other)["published"])
    for name in names:
        if name.endswith(".parquet"):
            assert pl.read_parquet(one / name).equals(pl.read_parquet(other / name)), name
        else:
            is_same = RUN_ID.sub(b"", (one / name).read_bytes()) == RUN_ID.sub(b"", (other / name).read_bytes())
            assert is_same, name


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_but_whole_runs_and_the_next_one_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    chance = random.Random(7)
    extract, out, calm = tmp_path / "extract", tmp_path / "out", tmp_path / "calm"
    make_sample(extract, PATIENTS, 7)
    match(extract, calm)
    expected = match(extract, calm)
    timed = start(extract, out)
    since = wait_for(out / folder.WORK, timed)
    timed.communicate()
    assert timed.returncode == 0
    seconds = time.monotonic() - since
    told = []
    for number in range(KILLS):
        latest, before = folder.latest(out), prove_whole(out)
        moment = (number + chance.random()) / KILLS  # every part of a run has its turn
        run = start(extract, out)
        wait_for(out / folder.WORK, run)
        time.sleep(moment * seconds)
        run.kill()
        said = run.communicate()[1]
        after = prove_whole(out)
        new = set(after) - set(before)
        assert run.returncode == -signal.SIGKILL or len(new) == 1  # it was faster than the one that was timed
        assert folder.latest(out) in {latest, *(out / "runs" / name for name in new)}
        ended = re.findall(r"^  (\D+?) +[\d.]+ s$", said, re.MULTILINE)
        told.append(f"{moment:4.0%} of the run: after '{ended[-1] if ended else 'start'}', exit {run.returncode}, left {len(new)} runs")
        following = match(extract, out)
        assert folder.latest(out) == following
        assert set(before) <= set(prove_whole(out))
        assert_same_files(expected, following)
        assert sorted(entry.name for entry in out.iterdir()) == [".lock", "latest", "runs"]
    print("\n".join(["", *told, f"{KILLS} kills on {PATIENTS:,} patients"]))


@pytest.mark.slow
@pytest.mark.parametrize(("words", "codes"), [([], [0, 4]), (["--wait"], [0, 0])])
def test_two_runs_started_in_the_same_second(tmp_path: Path, words: list[str], codes: list[int]) -> None:
    native = Path(__file__).parents[1] / "sample_data" / "native"
    out = tmp_path / "out"
    pair = [
        subprocess.Popen([*COMMAND, native, "--out", out, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate()[1] for run in pair]
    assert sorted(run.returncode for run in pair) == codes
    assert len(prove_whole(out)) == codes.count(0)
    waiting = [text for text in said if "another run holds" in text]
    assert len(waiting) == 1
    assert "Traceback" not in waiting[0]
    if codes == [0, 0]:
        first, second = (run for run, _ in folder.published(out))
        assert record(second)["previous"] == record(second)["same_extract_as"] == first.name
        assert folder.latest(out) == second
