"""How long one `kuberian search` takes as a whole process, against importing NumPy and FAISS alone.

    python -m benchmarks.search_startup [--runs 15] [--repository PATH]

Indexes a real project (flask's source distribution, or the given repository) into a temporary home, then times whole
processes in turn, pinned to one core, and prints medians and the ratio. Files are in the page cache, Python's bytecode
is compiled: what a second question of the day costs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from indexer import index
from tests.sdists import FLASK, as_repository

QUESTION = "where is the session cookie signed"


def seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--repository", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repository = arguments.repository or as_repository(FLASK, Path(folder))
        home = Path(folder) / "home"
        report = index(repository, home=home)
        print(f"{report.repository}: {report.files_indexed:,} files, {report.chunks:,} chunks")
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by what is timed
        environment = {**os.environ, "KUBERIAN_HOME": str(home)}
        kuberian = str(Path(sys.executable).with_name("kuberian"))
        commands = {
            "python -c ''": [sys.executable, "-c", ""],
            "python -c 'import numpy, faiss'": [sys.executable, "-c", "import numpy, faiss"],
            "kuberian --help": [kuberian, "--help"],
            "kuberian search": [kuberian, "search", "--all", QUESTION],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(arguments.runs + 2):
            for name, command in commands.items():
                took = seconds(command, environment)
                if run >= 2:  # warm-up
                    times[name].append(took)
    base = statistics.median(times["python -c 'import numpy, faiss'"])
    print(f"{'whole process, one core, median of ' + str(arguments.runs):<46}{'ms':>7}{'ratio':>8}")
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:<46}{1000 * middle:>7.0f}{middle / base:>8.2f}")


if __name__ == "__main__":
    main()
