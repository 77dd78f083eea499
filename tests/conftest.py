"""What several modules of tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import runs


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the shipped sample; to be read, never changed."""
    return runs.match(runs.NATIVE, tmp_path_factory.mktemp("shipped") / "out")
