"""`zm001 match` against one DuckDB scan of the same files, in one run: CPU seconds, peak memory, and their ratios.

    python -m bench.bench [--patients 100000] [--data DIR] [--csv]

The scan touches every column of every table once. The fixed start-up is the same command on an extract of 20 patients; it is printed
apart and taken off before the ratio. Figures are CPU seconds of a whole process (user + system), so that a busy machine counts less.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SCAN = """
import sys, duckdb
from pathlib import Path
con = duckdb.connect()
for table in sorted({p.name.split('.')[0] for p in Path(sys.argv[1]).iterdir() if p.name != 'extract.json'}):
    path = Path(sys.argv[1]) / table
    kind = sys.argv[2]
    source = f"{path}/*.{kind}" if path.is_dir() else f"{path}.{kind}"
    reader = f"read_csv('{source}', all_varchar=true, header=true, delim=',', quote='\\"')" if kind == 'csv' else f"'{source}'"
    columns = [row[0] for row in con.execute(f'describe from {reader}').fetchall()]
    con.execute('select ' + ', '.join(f'max("{c}")' for c in columns) + f' from {reader}').fetchall()
"""


@dataclass
class Cost:
    """What a process cost: CPU seconds, wall seconds, peak memory in MB."""

    cpu: float
    wall: float
    memory: float


def cost(command: list[str]) -> Cost:
    """Run a command and measure it; its output is shown only where it fails."""
    import time

    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(output.decode(errors="replace"))
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024)


def sample(folder: Path, patients: int, *, csv: bool) -> None:
    """Write a sample extract unless it is there."""
    if not (folder / "extract.json").exists():
        command = ["sample", str(folder), "--patients", str(patients), "--seed", "7", *(["--csv"] if csv else [])]
        cost([*ZM001, *command])


ZM001 = [sys.executable, "-c", "from flows.cli import main; main()"]


def measure(kind: str, data: Path, patients: int, repeats: int) -> None:
    """Print the figures of one form of the extract."""
    large, small = data / f"{kind}-{patients}", data / f"{kind}-20"
    sample(large, patients, csv=kind == "csv")
    sample(small, 20, csv=kind == "csv")
    with tempfile.TemporaryDirectory() as out:
        match = [*ZM001, "match", "--out", out]
        scans = [cost([sys.executable, "-c", SCAN, str(large), kind]) for _ in range(repeats)]
        starts = [cost([*match, str(small)]) for _ in range(repeats)]
        matches = [cost([*match, str(large)]) for _ in range(repeats)]
        scan, start, whole = (sorted(costs, key=lambda c: c.cpu)[repeats // 2] for costs in (scans, starts, matches))
    beyond = whole.cpu - start.cpu
    print(f"{kind}, {patients:,} patients: medians of {repeats}")
    print(f"  {'':28}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
    for name, c in (("scan of every column", scan), ("fixed start-up (20 patients)", start), ("zm001 match", whole)):
        print(f"  {name:28}{c.cpu:8.2f}{c.wall:8.2f}{c.memory:9.0f}")
    print(f"  beyond the start-up: {beyond:.2f} CPU s = {beyond / scan.cpu:.2f} × the scan")


def main() -> None:
    """Measure Parquet and CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, help="where the sample extracts are kept; default: a temporary folder")
    parser.add_argument("--kinds", nargs="+", default=["parquet", "csv"], choices=["parquet", "csv"])
    chosen = parser.parse_args()
    data = chosen.data or Path(tempfile.mkdtemp(prefix="zm001-bench-"))
    try:
        for kind in chosen.kinds:
            measure(kind, data, chosen.patients, chosen.repeats)
    finally:
        if chosen.data is None:
            shutil.rmtree(data)


if __name__ == "__main__":
    main()
