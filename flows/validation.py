"""zm001 validate: the data contract alone."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from data_contracts import gate
from flows.progress import Progress
from rules.parameters import parameters, read_toml
from transforms import store
from transforms.ingest.doors import open_extract


def validated(extract: Path, *, as_of: date | None, params: Path | None, form: str | None) -> gate.ContractReport:
    """The contract's report on an extract with everything that is wrong with it; refuses only what cannot be read at all."""
    values = parameters(read_toml(params) if params else None)
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="zm001-") as folder:
        work = Path(folder)
        with progress.step("read the extract"):
            opened = open_extract(extract, work, form)
        with store.connect(spill=work / "spill") as con, progress.step("check the contract"):
            return gate.examine(
                con,
                opened.extract,
                as_of=as_of,
                max_rejected_share=float(values["max_rejected_share"]),
                min_rejected_rows=int(values["min_rejected_rows"]),
            )
