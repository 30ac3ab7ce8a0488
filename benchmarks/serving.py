"""What a server takes: memory by the number of threads that answer, and what it costs to ask another repository.

    python -m benchmarks.serving --home HOME [--threads 1 2 4 8] [--questions 40]

HOME is a home with several repositories, as `python -m benchmarks.retrieval --data DIR` leaves in DIR/home. For each
number of threads a process of its own answers the same questions, all threads at once, each of all repositories in
turn, and prints the memory that it then has to itself (Linux: private pages). Then one thread, pinned to one core, asks
one repository again and again, two in turn, and ten in turn; printed are medians in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlencode

from searcher.serving.http import Application

QUESTIONS = ("where is a connection closed", "parse the configuration", "retry after an error", "write to a file")


def ask(application: Application, page: str, **parameters: str) -> dict[str, object]:
    """Ask as the HTTP server does."""
    status: list[str] = []
    environment = {"PATH_INFO": page, "REQUEST_METHOD": "GET", "QUERY_STRING": urlencode(parameters)}
    body = b"".join(application(environment, lambda line, headers: status.append(line)))
    if not status[0].startswith("200"):
        raise SystemExit(f"{page}: {status[0]}: {body.decode()}")
    answer: dict[str, object] = json.loads(body)
    return answer


def repositories(application: Application) -> list[str]:
    snapshots = ask(application, "/status")["snapshots"]
    assert isinstance(snapshots, list)
    return sorted({str(snapshot["path"]) for snapshot in snapshots})


def private_bytes() -> int:
    """Return the memory that this process alone has."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def memory(home: Path, threads: int, questions: int) -> int:
    application = Application(home)
    asked = repositories(application)

    def answer(thread: int) -> None:
        for number in range(questions):
            ask(application, "/search", q=QUESTIONS[number % len(QUESTIONS)], repo=asked[number % len(asked)])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(answer, range(threads)))
    return private_bytes()


def milliseconds(application: Application, asked: list[str], questions: int) -> float:
    """Return the median of questions to these repositories in turn, after each was asked once."""
    for repository in asked:
        ask(application, "/search", q="warm", repo=repository)
    times = []
    for question, repository in islice(zip(cycle(QUESTIONS), cycle(asked)), questions):
        started = time.perf_counter()
        ask(application, "/search", q=question, repo=repository)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(memory(arguments.home, arguments.memory_of, arguments.questions))
        return
    print(f"{'threads':>8}{'private MB':>12}")
    for threads in arguments.threads:
        command = [sys.executable, "-m", "benchmarks.serving", "--home", str(arguments.home)]
        command += ["--memory-of", str(threads), "--questions", str(arguments.questions)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"{threads:>8}{int(done.stdout) / 1e6:>12.0f}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    application = Application(arguments.home)
    known = repositories(application)
    print(f"{'repositories in turn':>22}{'ms a question':>15}")
    for count in (1, 2, 10):
        print(f"{count:>22}{milliseconds(application, known[:count], arguments.questions):>15.1f}")


if __name__ == "__main__":
    main()
