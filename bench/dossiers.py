"""What dossiers cost: CPU seconds of `zm001 match` with some less those of the same without any, imports included.

    python -m bench.dossiers [--extract DIR] [--counts 50 300]

Without an extract of your own a sample of 2,000 patients is written, of whom some 570 are listed. CPU seconds are of whole processes
(user + system), the least of some repeats.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.bench import ZM001, cost, sample


def main() -> None:
    """Print the CPU seconds of each count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extract", type=Path, help="default: a sample of 2,000 patients")
    parser.add_argument("--counts", type=int, nargs="+", default=[50, 300])
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zm001-bench-") as folder:
        extract = chosen.extract or Path(folder) / "extract"
        sample(extract, 2000, csv=False)
        seconds = {count: least(extract, Path(folder), count, chosen.repeats) for count in (0, *chosen.counts)}
        for count in chosen.counts:
            more = seconds[count] - seconds[0]
            print(f"{count:4} dossiers: {more:5.2f} CPU s, {more / count:.3f} each (without any: {seconds[0]:.2f})")


def least(extract: Path, folder: Path, count: int, repeats: int) -> float:
    """The CPU seconds of a run that writes so many dossiers."""
    command = [*ZM001, "match", str(extract), "--dossiers", str(count)]
    return min(cost([*command, "--out", str(folder / f"{count}-{n}")]).cpu for n in range(repeats))


if __name__ == "__main__":
    main()
