"""The main job as a Prefect flow run: the same order, the same files; each step a task run."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.nightly import nightly_flow
from flows.settings import Settings
from tests import runs


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the server's libraries warn of their own deprecations
def test_a_flow_run_publishes_what_a_plain_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    from prefect.client.orchestration import get_client
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness():
        published, _ = nightly_flow()(Settings(runs.NATIVE, tmp_path / "flow"))
        with get_client(sync_client=True) as client:
            (run,) = client.read_flow_runs()
            tasks = {task.name.rsplit("-", 1)[0] for task in client.read_task_runs()}
    assert run.state is not None
    assert run.state.is_completed()
    assert tasks == {
        "read the extract",
        "check the contract",
        "find the cohort",
        "normalise",
        "apply the criteria",
        "publish",
        "hash the files again",
    }
    plain = runs.match(runs.NATIVE, tmp_path / "plain")
    assert (published / "candidates.csv").read_bytes() == (plain / "candidates.csv").read_bytes()
