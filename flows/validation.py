"""zm001 validate: the data contract alone."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from rich.console import Console

from data_contracts import gate, suites
from data_contracts.show import findings
from flows.progress import Progress
from flows.troubles import explained
from rules.parameters import parameters, read_toml
from transforms import store
from transforms.ingest.doors import open_extract


def validated(extract: Path, *, as_of: date | None, params: Path | None, form: str | None, docs: Path | None) -> gate.ContractReport:
    """The contract's report on an extract with everything that is wrong with it; refuses only what cannot be read at all.

    Prints what was found as a table; ``docs``: a folder for the results of the expectations as a page.
    """
    values = parameters(read_toml(params) if params else None)
    progress = Progress()
    with (
        tempfile.TemporaryDirectory(prefix="zm001-") as folder,
        explained(extract, f"the folder for temporary files {tempfile.gettempdir()}"),
    ):
        work = Path(folder)
        with progress.step("read the extract"):
            opened = open_extract(extract, work, form)
        with store.connect(spill=work / "spill") as con:
            with progress.step("check the contract"):
                report = gate.examine(
                    con,
                    opened.extract,
                    as_of=as_of,
                    max_rejected_share=float(values["max_rejected_share"]),
                    min_rejected_rows=int(values["min_rejected_rows"]),
                )
            with progress.step("judge the expectations"):
                suites.judge(report, None if report.failures else con)
    console = Console(soft_wrap=True, highlight=False)
    console.print(findings(report))
    for failure in report.failures:
        console.print(f"refused: {failure}", markup=False)
    if docs:
        console.print(f"results: {suites.write_docs(report, docs)}", markup=False)
    return report
