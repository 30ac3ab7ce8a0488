"""Keep repositories indexed: a cron daemon for one job, without the rights that cron daemons need.

    cron.py          index at once, then whenever KUBERIAN_SCHEDULE says, until SIGTERM or SIGINT
    cron.py --once   index once; exit status 3 if a repository failed

KUBERIAN_REPOSITORIES   what to index, white space between: folders, globs for folders, addresses.
                        Default /repositories/*
KUBERIAN_SCHEDULE       five cron fields, in the time zone of TZ. Default */15 * * * *

Cron daemons (cron, cronie, bcron, busybox's) change to a job's user, which only root may, and read files that root
owns. Here one process does all of it as the user that it is: the schedule is cronsim's, which keeps to Debian's cron,
daylight saving included; repositories are indexed one after the other, so never twice at once, and what becomes due
meanwhile is skipped. Each line of the log has the time, in UTC, and what it is about.
"""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cronsim import CronSim, CronSimError

from kuberian.errors import RepositoryError
from kuberian.git.address import is_address
from kuberian.git.command import Git

DEFAULT_SCHEDULE = "*/15 * * * *"
DEFAULT_REPOSITORIES = "/repositories/*"
# The command, not `python -m`: that would look for modules in the working directory, where repositories are.
KUBERIAN = [str(Path(sys.executable).with_name("kuberian"))]

# The last run's result, for the health check: "ok" or the repositories that failed.
RESULT = "cron.result"

# Sleeping in steps notices a clock that was set; cron daemons wake once a minute, too.
LONGEST_SLEEP = 30.0
# How long an index run that is told to end may take. It needs none of it: all that it did is committed.
GRACE = 1.0


class Stopped(Exception):  # noqa: N818 - no error
    """SIGTERM or SIGINT came."""


def stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    """Leave whatever is being done, once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped


def log(about: str, message: str) -> None:
    """Print a line with the time and what it is about."""
    print(f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ} {about}: {message}", flush=True)


def refuse(message: str, exit_status: int) -> NoReturn:
    """End with one line."""
    print(f"kuberian: {message}", file=sys.stderr)
    sys.exit(exit_status)


def schedule(text: str) -> CronSim:
    """Return the times that a schedule means, from now on; raises ValueError for one that means none."""
    if len(text.split()) != 5:  # cronsim would take a sixth field, of seconds
        raise ValueError(f"it has {len(text.split())} fields instead of 5")
    try:
        times = CronSim(text, datetime.now().astimezone())
        next(CronSim(text, datetime.now().astimezone()))
    except CronSimError as error:
        raise ValueError(str(error)) from None
    except StopIteration:
        raise ValueError("no day of the next 50 years fits it") from None
    return times


def repositories(text: str) -> list[str]:
    """Return folders and addresses in the order given, each once; a pattern is looked up at every run."""
    found: dict[str, None] = {}
    for word in text.split():
        if is_address(word) or not glob.has_magic(word):
            found[word] = None
        else:
            matching = sorted(glob.glob(word))  # noqa: PTH207 - an absolute pattern, as typed
            found.update(dict.fromkeys(path for path in matching if Path(path).is_dir()))
    return list(found)


def unreadable(repository: str) -> str | None:
    """Return why a folder cannot be indexed, as git says it, or None. An address is tried when it is due."""
    if is_address(repository):
        return None
    try:
        Git(Path(repository), above=True).run("rev-parse", "--git-dir")
    except RepositoryError as error:
        return str(error)
    return None


class Cron:
    """The daemon."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._running: subprocess.Popen[str] | None = None

    def run(self) -> list[str]:
        """Index every repository, whatever becomes of the others; return those that failed."""
        started = time.monotonic()
        chosen = repositories(self._wanted)
        if not chosen:
            log("cron", f"nothing fits {self._wanted}")
        failed = [repository for repository in chosen if not self._index(repository)]
        self._note(failed)
        log(
            "cron",
            f"{len(chosen) - len(failed)} of {len(chosen)} repositories indexed in {time.monotonic() - started:.1f} s"
            + (f"; failed: {', '.join(failed)}" if failed else ""),
        )
        return failed

    def forever(self, times: CronSim, expression: str) -> None:
        """Index now and whenever it is time."""
        self.run()
        while True:
            due = next(times)
            skipped = 0
            while due <= datetime.now().astimezone():
                due, skipped = next(times), skipped + 1
            if skipped:
                log("cron", f"the run took so long that {skipped} were skipped")
            log("cron", f"next run at {due:%Y-%m-%d %H:%M %Z} ({expression})")
            while (left := due - datetime.now().astimezone()) > timedelta():
                time.sleep(min(left.total_seconds(), LONGEST_SLEEP))
            self.run()

    def end(self) -> None:
        """End the index run that is going on, if any."""
        if self._running and self._running.poll() is None:
            self._running.terminate()
            try:
                self._running.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
            log("cron", "ended an index run; what it did is kept, the next one goes on from there")

    def _index(self, repository: str) -> bool:
        self._running = process = subprocess.Popen(
            [*KUBERIAN, "index", "--wait", "--", repository],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        # A thread reads, so that a signal is noticed at once.
        reader = threading.Thread(target=self._follow, args=(process, repository), daemon=True)
        reader.start()
        process.wait()
        reader.join(GRACE)
        if process.returncode:
            log(repository, f"failed with exit status {process.returncode}")
        return process.returncode == 0

    @staticmethod
    def _follow(process: subprocess.Popen[str], repository: str) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            log(repository, line.rstrip())

    @staticmethod
    def _note(failed: Sequence[str]) -> None:
        folder = Path(os.environ.get("KUBERIAN_HOME", "/data"))
        with suppress(OSError):  # a full or read-only disk: indexing has said so
            (folder / RESULT).write_text("\n".join(failed) or "ok", encoding="utf-8")


def main() -> None:
    """Check what was asked for, then do it."""
    arguments = sys.argv[1:]
    if arguments not in ([], ["--once"]):
        refuse("cron takes --once or nothing; KUBERIAN_REPOSITORIES and KUBERIAN_SCHEDULE say the rest", 2)
    expression = os.environ.get("KUBERIAN_SCHEDULE", "").strip() or DEFAULT_SCHEDULE
    wanted = os.environ.get("KUBERIAN_REPOSITORIES", "").strip() or DEFAULT_REPOSITORIES
    try:
        times = schedule(expression)
    except ValueError as error:
        refuse(f"KUBERIAN_SCHEDULE {expression!r} is no schedule of five cron fields: {error}", 2)
    chosen = repositories(wanted)
    if not chosen:
        refuse(f"nothing fits KUBERIAN_REPOSITORIES {wanted!r}: mount repositories under /repositories", 3)
    for repository in chosen:
        why = unreadable(repository)
        if why:
            refuse(f"{repository} cannot be read as user {os.getuid()}: {why}", 3)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    cron = Cron(wanted)
    try:
        if arguments:
            sys.exit(3 if cron.run() else 0)
        cron.forever(times, expression)
    except Stopped:
        cron.end()
        log("cron", "stopped")


if __name__ == "__main__":
    main()
