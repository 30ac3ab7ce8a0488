"""A search in the container, from the start of its process to its answer: `python -m benchmarks.container`, as root.

Needs the image (`make image`, built with buildah) and bubblewrap; see tests/image/container.py. Times come from one
core; the first run is told apart. A sandbox is started for every run, and an empty one is timed too.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.image.container import NAME, Container, mounted, volume
from tests.sdists import commit_all

CHUNKS, PER_FILE, RUNS = 10_000, 50, 15
QUESTION = "where are invoices of the warehouse archived"
WORDS = ("invoice", "order", "customer", "warehouse", "session", "ticket", "report", "payment", "shelf", "parcel")
VERBS = ("archive", "load", "send", "merge", "check", "count", "sort", "encrypt", "print", "cancel")


def project(folder: Path) -> Path:
    """Make a repository of 10,000 short functions, no two the same."""
    folder.mkdir()
    for start in range(0, CHUNKS, PER_FILE):
        functions = []
        for i in range(start, start + PER_FILE):
            verb, one, other = VERBS[i % 10], WORDS[i // 10 % 10], WORDS[i // 100 % 10]
            functions.append(f"def {verb}_{one}_{other}_{i}({one}, {other}):\n    return {one}.{verb}({other}, {i})\n")
        (folder / f"module_{start}.py").write_text("\n\n".join(functions))
    commit_all(folder)
    return folder


def timed(container: Container, *arguments: str, entrypoint: list[str] | None = None) -> tuple[float, float]:
    """Return the milliseconds of one run, the sandbox's start included: by the clock, and of the processor."""
    started, used = time.perf_counter(), processor_seconds()
    done = container.run(*arguments, entrypoint=entrypoint)
    took = (time.perf_counter() - started) * 1000
    assert done.returncode == 0, done.stderr
    return took, (processor_seconds() - used) * 1000


def processor_seconds() -> float:
    """Return what all ended children have used."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default=NAME)
    parser.add_argument("--cold", action="store_true", help="drop the page cache once: slows the whole machine down")
    parser.add_argument("--core", type=int, default=1, help="the core to run on")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, mounted(arguments.image) as (root, config):
        folder = Path(temporary)
        folder.chmod(0o755)
        repository = project(folder / "project")
        container = Container(root, config, volume(folder / "volume", config), {"project": repository})
        indexed = container.run("index", "/repositories/project")
        assert indexed.returncode == 0, indexed.stderr
        print(indexed.stdout.strip())
        os.sched_setaffinity(0, {arguments.core})
        if arguments.cold:
            subprocess.run(["sync"], check=True)
            Path("/proc/sys/vm/drop_caches").write_text("3")
        first = timed(container, "search", QUESTION)
        warm, empty = [], []
        for _ in range(RUNS):
            empty.append(timed(container, entrypoint=["true"]))
            warm.append(timed(container, "search", QUESTION))
    print(f"{'in the container, one core, ms':<64}{'median':>8}{'worst':>8}{'processor':>11}")
    for name, times in (("an empty program", empty), ("kuberian search", warm)):
        clock, processor = zip(*times, strict=True)
        print(f"{name:<64}{statistics.median(clock):>8.0f}{max(clock):>8.0f}{statistics.median(processor):>11.0f}")
    name = "the first one" + (", nothing of the image or the index in memory" if arguments.cold else "")
    print(f"{name:<64}{first[0]:>8.0f}{'':>8}{first[1]:>11.0f}")


if __name__ == "__main__":
    main()
