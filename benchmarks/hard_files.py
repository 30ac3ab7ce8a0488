"""How long files take that were made to be hard, and how much memory: every sort in every language.

python -m benchmarks.hard_files [LANGUAGE ...]      without a language: all of them

Each file is cut in a process of its own. Printed is the processor time of the cut alone and by how much the process
grew; at the end the worst of each sort.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.chunks.hard_files import SORTS, hard_file, languages

_SECONDS = 2.0
_MEGABYTES = 300


def measure(language: str, sort: str) -> tuple[float, float, int]:
    """Cut one file in this process: seconds, megabytes, chunks."""
    import resource
    from time import process_time

    from indexer.chunking.chunks import cut

    unit = 1 if sys.platform == "darwin" else 1024
    cut("x\n", language)  # the grammar's import is not what is measured
    text = hard_file(language, sort)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = process_time()
    chunks = cut(text, language)
    seconds = process_time() - started
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit / 1e6, len(chunks)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(*sys.argv[2:4])))
        return
    worst: dict[str, tuple[tuple[float, str], tuple[float, str]]] = dict.fromkeys(SORTS, ((0.0, ""), (0.0, "")))
    over = []
    for language in sys.argv[1:] or languages():
        for sort in SORTS:
            command = [sys.executable, "-m", "benchmarks.hard_files", "--one", language, sort]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                over.append(f"{language}, {sort}: exit status {done.returncode}\n{done.stderr[-500:]}")
                continue
            seconds, megabytes, _ = json.loads(done.stdout)
            slowest, largest = worst[sort]
            worst[sort] = max(slowest, (seconds, language)), max(largest, (megabytes, language))
            if seconds > _SECONDS or megabytes > _MEGABYTES:
                over.append(f"{language}, {sort}: {seconds:.2f} s, {megabytes:.0f} MB")
    print(f"{'sort':<34}{'slowest':>8}{'':<14}{'most memory':>14}")
    for sort, ((seconds, slowest), (megabytes, largest)) in worst.items():
        print(f"{sort:<34}{seconds:>6.2f} s {slowest:<14}{megabytes:>9.0f} MB {largest}")
    print("\n".join(["over the limits:", *over]) if over else f"all within {_SECONDS:.0f} s and {_MEGABYTES} MB")


if __name__ == "__main__":
    main()
