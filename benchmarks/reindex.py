"""How long it takes to bring a large index up to date, and what the index takes: python -m benchmarks.reindex

A git repository is made of one large source distribution (sympy: 28 MB of source, 48,000 chunks) and indexed. Every
step after that is a `kuberian` process of its own on one core, timed whole: nothing changed, one file changed, a switch
between two branches that both were indexed. The medians of --runs are printed, with the peak memory of each process.
Then eight processes search, again and again, while another one indexes a change of 200 files.

The first index is kept in the cache folder (--folder), as embedding it takes some ten minutes on two cores; with
--untrained a BERT of one untrained layer does it in one, and all but the time to embed a changed file is the same. The
first phase alone, reading, cutting and full text, is timed into a home of its own each time.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexer import index
from kuberian.store.home import Home
from kuberian.store.status import status
from tests.checkpoints import write_checkpoint
from tests.sdists import CACHE, Sdist, as_repository, git

SYMPY = Sdist("sympy", "1.13.3", "b27fd2c6530e0ab39e275fc9b683895367e51d5da91baa8d3d64db2565fec4d9")
SEARCHERS = 8
QUESTIONS = ("where are integrals computed", "simplify a trigonometric expression", "Matrix.inv", "parse latex")

# One process searches again and again with an open Searcher until its standard input is closed.
SEARCH_LOOP = """
import json, sys, threading, time
from searcher import Searcher
home, repository, questions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
times = []
waits = []
import sqlite3
with Searcher(home) as searcher:
    number = 0
    while not ended.is_set() or not times:
        started = time.perf_counter()
        with sqlite3.connect(f"file:{home}/kuberian.db?mode=ro", uri=True, timeout=5) as connection:
            connection.execute("SELECT count(*) FROM snapshots").fetchone()
        waits.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert searcher.search(questions[number % len(questions)], repository=repository).results
        times.append(time.perf_counter() - started)
        number += 1
print(json.dumps({"times": times, "waits": waits}))
"""


@dataclass(frozen=True)
class Run:
    """One run: its seconds, those on a processor (its workers' too), peak memory with its workers', and its report."""

    seconds: float
    busy: float
    peak: int
    report: dict[str, object]


def kuberian_index(repository: Path, home: Path, *options: str, core: bool = True) -> Run:
    pin = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if core and hasattr(os, "sched_setaffinity") else []
    command = [*pin, sys.executable, "-m", "kuberian", "index", str(repository), "--home", str(home), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    peak = 0
    while not select.select([process.stdout], [], [], 0.02)[0]:
        peak = max(peak, resident_bytes(process.pid))
    printed = process.stdout.read()
    _, state, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if state:
        raise SystemExit(f"kuberian index ended with {state}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak, json.loads(printed))


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process and of those that it started, from Linux's /proc."""
    with suppress(OSError):
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident_bytes(int(child)) for child in children)
    return 0


def untrained(folder: Path) -> Path:
    checkpoint = folder / "untrained"
    if not checkpoint.exists():
        sizes = {"hidden_size": 384, "num_attention_heads": 12, "num_hidden_layers": 1, "intermediate_size": 384}
        write_checkpoint(checkpoint, **sizes)
    return checkpoint


def show(name: str, runs: list[Run], goal: str) -> None:
    middle = statistics.median(run.seconds for run in runs)
    busy = statistics.median(run.busy for run in runs)
    peak = max(run.peak for run in runs) / 1e6
    embedded = max(int(str(run.report["passages_embedded"])) for run in runs)
    times = f"{middle:>7.2f} s{busy:>7.2f} s busy"
    print(f"{name:<40}{times} {embedded:>5} embedded{peak:>6.0f} MB peak   {goal}", flush=True)


def words_phase(repository: Path, folder: Path, runs: int) -> None:
    """Time the first phase on one core and on all; a median each."""
    cores = os.sched_getaffinity(0)
    for some in ({max(cores)}, cores):
        rates = []
        for _ in range(runs):
            home = folder / "words"
            shutil.rmtree(home, ignore_errors=True)
            os.sched_setaffinity(0, some)
            started = time.perf_counter()
            index(repository, home=home, meaning=False)
            seconds = time.perf_counter() - started
            os.sched_setaffinity(0, cores)
            source = sum(snapshot.source_bytes for snapshot in status(Home(home)).snapshots)
            rates.append(source / seconds)
            shutil.rmtree(home)
        middle = statistics.median(rates) / 1e6
        name = f"first phase, {len(some)} core{'s' * (len(some) > 1)}"
        print(f"{name:<42}{middle:>8.2f} MB/s of {source / 1e6:.1f} MB of source   goal: 2 MB/s", flush=True)


def parallel_searches(repository: Path, home: Path) -> None:
    command = [sys.executable, "-c", SEARCH_LOOP, str(home), str(repository), json.dumps(QUESTIONS)]
    searchers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(SEARCHERS)
    ]
    time.sleep(3)
    for file in sorted((repository / "sympy").rglob("*.py"))[:200]:
        added = f"\n\ndef added_to_{file.stem}():\n    return {time.time_ns()}\n"
        file.write_text(file.read_text(encoding="utf-8") + added, encoding="utf-8")
    run = kuberian_index(repository, home, core=False)
    times: list[float] = []
    waits: list[float] = []
    errors = 0
    for process in searchers:
        out, error = process.communicate()
        errors += process.returncode != 0
        if error:
            print(error.decode(), file=sys.stderr)
        found = json.loads(out or b'{"times": [], "waits": []}')
        times += found["times"]
        waits += found["waits"]
    git(repository, "checkout", "-q", ".")
    print(
        f"{SEARCHERS} searchers during an index run of {run.seconds:.1f} s: {len(times)} searches, {errors} errors, "
        f"median {1000 * statistics.median(times):.0f} ms, longest {1000 * max(times):.0f} ms; "
        f"opening the database and reading: longest {1000 * max(waits):.0f} ms   goal: no error, 200 ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=CACHE.parent / "reindex")
    parser.add_argument("--untrained", action="store_true", help="embed with one untrained layer of the same width")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    repository, home = folder / SYMPY.name, folder / ("home-untrained" if arguments.untrained else "home")
    if not repository.exists():
        as_repository(SYMPY, folder)
        git(repository, "checkout", "-q", "-b", "side")
        for number, file in enumerate(sorted((repository / "sympy").rglob("*.py"))[:100]):
            if number % 10:
                file.write_text(file.read_text(encoding="utf-8") + f"\n\ndef side_{number}():\n    return {number}\n")
            else:
                file.unlink()
        git(repository, "commit", "-q", "-a", "-m", "side")
        git(repository, "checkout", "-q", "main")
    git(repository, "checkout", "-q", ".")
    model = ["--model", str(untrained(folder))] if arguments.untrained else []
    first = kuberian_index(repository, home, *model, core=False)
    for branch in ("side", "main"):
        git(repository, "checkout", "-q", branch)
        kuberian_index(repository, home, core=False)
    print(f"{first.report['files_indexed']:,} files, {first.report['chunks']:,} chunks; peak {first.peak / 1e6:.0f} MB")

    show("nothing changed", [kuberian_index(repository, home) for _ in range(arguments.runs)], "goal: 0.5 s")
    edited = []
    file = repository / "sympy" / "core" / "basic.py"
    text = file.read_text(encoding="utf-8")
    for number in range(arguments.runs):
        file.write_text(text + f"\n\ndef edited_{time.time_ns()}():\n    return {number}\n", encoding="utf-8")
        edited.append(kuberian_index(repository, home))
    git(repository, "checkout", "-q", ".")
    show("one file changed", edited, "goal: 1 s")
    switched = []
    for number in range(2 * arguments.runs):
        git(repository, "checkout", "-q", ("side", "main")[number % 2])
        switched.append(kuberian_index(repository, home))
    show("switch between two branches seen before", switched, "goal: 1 s, 0 embedded")
    parallel_searches(repository, home)
    words_phase(repository, folder, min(arguments.runs, 3))
    subprocess.run([sys.executable, "-m", "kuberian", "gc", "--home", str(home)], check=True)
    kuberian_index(repository, home)
    found = status(Home(home))
    source = found.snapshots[0].source_bytes
    size = found.database_bytes + found.vectors_bytes
    print(
        f"home {size / 1e6:.1f} MB ({found.database_bytes / 1e6:.1f} database, {found.vectors_bytes / 1e6:.1f} vectors)"
        f" of {source / 1e6:.1f} MB of source: {size / source:.2f} times   goal: 4"
    )


if __name__ == "__main__":
    main()
