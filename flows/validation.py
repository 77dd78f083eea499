"""zm001 validate: the data contract alone."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from data_contracts import gate
from flows.progress import Progress
from rules.parameters import parameters, read_toml
from transforms import store
from transforms.ingest import detect, native


def validated(
    extract: Path, *, as_of: date | None, params: Path | None, form: str | None, docs: Path | None
) -> gate.ContractReport:
    """The contract's report on an extract, printed as a table and, with ``docs``, written as a page."""
    values = parameters(read_toml(params) if params else None)
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="zm001-") as folder:
        work = Path(folder)
        source = extract
        if detect.detect(extract, form) == "mimiciv":
            from transforms.ingest import mimiciv

            source = work / "native"
            source.mkdir()
            mimiciv.convert(extract, source)
        with progress.step("read the extract"):
            files = native.stage(source, work)
        con = store.connect(spill=work / "spill")
        with progress.step("check the contract"):
            report = gate.check(
                con,
                files,
                as_of=as_of,
                max_rejected_share=float(values["max_rejected_share"]),
                min_rejected_rows=int(values["min_rejected_rows"]),
            )
        con.close()
    return report
