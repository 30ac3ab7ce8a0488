"""Whether search finds the place to edit: the message of a fixing commit asks its parent, what was changed answers.

    python -m benchmarks.issues DIR [--mirrors DIR]     # makes DIR/repos and DIR/issues.json
    python -m benchmarks.issues DIR --run [--part judge|fit|all] [--results FILE] [--compare FILE]

Of each project of benchmarks/corpus.py whose code is not too large, the 8 newest commits whose body tells of a problem
at length and which change few functions. With --run each parent is indexed into DIR/home and asked with the whole
message. Printed are the means over the projects: the changed file first, in 5 and in 10 results; a result among 10
that names a changed function, or has a changed line; the reciprocal rank of the function. A question's seconds are
those of the first question to its revision.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.corpus import PROJECTS, Project, bare_clone
from benchmarks.cpu import cpu
from benchmarks.issue_answers import NO_CODE, Answer, Change, answer, bare, changes, is_code
from benchmarks.issue_messages import Message, clean
from benchmarks.retrieval import K, index_all, mean_over_repositories
from indexer.languages.table import detect
from kuberian.git.command import Git
from searcher import Searcher
from searcher.ranking import Weights
from searcher.results import Result

# More questions of one project tell less than other projects do, and each has a revision of its own to index.
PER_PROJECT = 8
# The newest commits of the first-parent history: older revisions share few contents with each other.
WINDOW = 600
# A change of more is no answer to one question.
MOST_FILES = 4
MOST_FUNCTIONS = 6
MOST_LINES = 80
# Bytes of code, tests included, of the largest project that asks: some 4,000 chunks, a minute of work for two cores.
LARGEST_PROJECT = 2_500_000
# Fewer questions say little of a project, and every project counts alike.
LEAST_QUESTIONS = 4

MEASURES = ("file_1", "file_5", "file_10", "function", "line", "mrr")

Question = dict[str, Any]
Scored = Mapping[str, Mapping[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mirrors", type=Path, help="a folder of bare clones, OWNER+NAME/repo")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--part", choices=("fit", "judge", "all"), default="all")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--compare", type=Path)
    arguments = parser.parse_args()
    if not arguments.run:
        make(arguments.folder, arguments.mirrors)
        return
    questions = load(arguments.folder, arguments.part)
    scored, seconds = evaluate(questions, arguments.folder)
    print_tables(questions, scored)
    print_seconds(seconds)
    if arguments.results:
        arguments.results.write_text(json.dumps(scored, indent=1))
    if arguments.compare:
        print_changes(questions, json.loads(arguments.compare.read_text()), scored)


def make(folder: Path, mirrors: Path | None) -> None:
    """Write the questions from the histories of all projects."""
    questions: list[Question] = []
    for project in PROJECTS:
        clone = shared_clone(bare_clone(project, mirrors, folder / "clones"), folder / "repos" / project.name)
        found = take_questions(project, clone)
        print(f"{project.part:<6}{project.language:<12}{project.name}: {len(found)}", flush=True)
        questions += found
    (folder / "issues.json").write_text(json.dumps(questions, indent=1))
    print(f"{len(questions)} questions")


def shared_clone(clone: Path, folder: Path) -> Path:
    """Make a bare clone with the name that a user's has; the objects stay where they are. Return its folder."""
    if not folder.exists():
        subprocess.run(["git", "clone", "--quiet", "--bare", "--shared", str(clone), str(folder)], check=True)
    return folder


def load(folder: Path, part: str = "all") -> list[Question]:
    """Return the questions of a part."""
    questions: list[Question] = json.loads((folder / "issues.json").read_text())
    return [question for question in questions if part in ("all", question["part"])]


def take_questions(project: Project, clone: Path) -> list[Question]:
    """Return a project's questions: its newest, those that tell of a fault before all others."""
    git = bare(clone)
    if code_bytes(git, project.commit) > LARGEST_PROJECT:
        return []
    calm: list[Question] = []
    faults: list[Question] = []
    for commit, parent, message in telling(git, project.commit):
        answers = answers_of(git, parent, commit, project.without)
        if answers:
            kept = faults if message.tells_of_a_fault else calm
            kept.append(question(project, commit, parent, message, answers))
        if len(faults) == PER_PROJECT:
            break
    found = (faults + calm)[:PER_PROJECT]
    return found if len(found) >= LEAST_QUESTIONS else []


def code_bytes(git: Git, commit: str) -> int:
    """Return how large the code of a tree is, tests included."""
    total = 0
    for line in os.fsdecode(git.run("ls-tree", "-r", "-l", "-z", commit)).split("\0"):
        head, _, path = line.partition("\t")
        size = head.rpartition(" ")[2]
        if size.isdecimal() and detect(path) not in {None, *NO_CODE}:
            total += int(size)
    return total


def telling(git: Git, newest: str) -> Iterator[tuple[str, str, Message]]:
    """Yield the commits whose message asks, newest first: their id, their parent's, the message. None is a merge."""
    first_parents = git.run("rev-list", "--first-parent", f"--max-count={WINDOW + 1}", newest).split()
    older = [f"^{os.fsdecode(first_parents[WINDOW])}"] if len(first_parents) > WINDOW else []
    log = git.run("log", "--no-merges", "--format=%H%x00%P%x00%B%x1e", newest, *older)
    subjects = set()
    for entry in log.decode("utf-8", "replace").split("\x1e"):
        commit, _, rest = entry.strip("\n").partition("\0")
        parent, _, text = rest.partition("\0")
        message = clean(text)
        if parent and message.is_telling and message.subject not in subjects:
            subjects.add(message.subject)
            yield commit, parent, message


def answers_of(git: Git, parent: str, commit: str, without: str = "") -> list[Answer]:
    """Return what a commit changes in the code of its parent; nothing if that is too much or in no function.

    `without` is a regular expression of paths: what changes there, in copies of the code, does not ask.
    """
    changed = [change for change in changes(git, parent, commit) if is_code(change.path)]
    if not may_ask(changed) or (without and any(re.search(without, change.path) for change in changed)):
        return []
    answers = []
    for change in changed:
        data = git.ask("cat-file", "blob", f"{parent}:{change.path}") if change.status == "M" else None
        if data is not None:
            text = data.decode("utf-8", "replace").replace("\r\n", "\n")
            if found := answer(change.path, text, change.hunks):
                answers.append(found)
    functions = sum(len(found.functions) for found in answers)
    return answers if 1 <= functions <= MOST_FUNCTIONS else []


def may_ask(changed: Sequence[Change]) -> bool:
    """Tell whether the changed files of code are few, and few of their lines."""
    lines = sum(hunk.size for change in changed for hunk in change.hunks)
    return 1 <= len(changed) <= MOST_FILES and lines <= MOST_LINES


def question(project: Project, commit: str, parent: str, message: Message, answers: Sequence[Answer]) -> Question:
    return {
        "id": f"{project.name}/{commit[:12]}",
        "repo": project.name,
        "part": project.part,
        "language": project.language,
        "at": parent,
        "query": message.text,
        "names_it": names_it(message.text, answers),
        "answers": [asdict(found) for found in answers],
    }


def names_it(text: str, answers: Sequence[Answer]) -> str:
    """Return how much a question gives away: "all" changed functions and files by name, "some" function, or ""."""
    functions = [_has_word(text, function.name) for found in answers for function in found.functions]
    files = [_has_word(text, found.path.rpartition("/")[2]) for found in answers]
    return "all" if all(functions) and all(files) else "some" if any(functions) else ""


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def evaluate(
    questions: Sequence[Question], folder: Path, weights: Weights | None = None
) -> tuple[dict[str, dict[str, Any]], list[float]]:
    """Index what the questions ask of, and return the scores and results of each, and the seconds that each took."""
    for repository in sorted({question["repo"] for question in questions}):
        print(f"{repository}: ", end="", flush=True)
        index_all([q for q in questions if q["repo"] == repository], folder / "repos", folder / "home")
    scored, seconds = {}, []
    with Searcher(folder / "home", weights) as searcher:
        for question in questions:
            clone = str(folder / "repos" / question["repo"])
            started = time.perf_counter()
            found = searcher.search(question["query"], k=K, repository=clone, at=question["at"]).results
            seconds.append(time.perf_counter() - started)
            places = [[result.path, result.start_line, result.end_line, result.symbol] for result in found]
            scored[question["id"]] = {**scores(question["answers"], found), "results": places}
    return scored, seconds


def scores(answers: Sequence[dict[str, Any]], results: Sequence[Result]) -> dict[str, float]:
    """Return every measure of one question's results."""
    by_path = {found["path"]: found for found in answers}
    ranked = [(result, by_path[result.path]) for result in results if result.path in by_path]
    file = min((result.rank for result, _ in ranked), default=K + 1)
    naming = (
        result.rank for result, found in ranked if any(names(result, function) for function in found["functions"])
    )
    function = min(naming, default=0)
    line = any(
        result.start_line <= last and first <= result.end_line
        for result, found in ranked
        for first, last in found["lines"]
    )
    return {
        "file_1": float(file <= 1),
        "file_5": float(file <= 5),
        "file_10": float(file <= K),
        "function": float(function > 0),
        "line": float(line),
        "mrr": 1 / function if function else 0.0,
    }


def names(result: Result, function: Mapping[str, Any]) -> bool:
    """Tell whether a result shows a function, and is called like it: it has its first line, or is a part of it."""
    called = f".{result.symbol}".endswith(f".{function['name']}")
    whole = result.start_line <= function["line"] <= result.end_line
    part = function["start"] <= result.start_line and result.end_line <= function["end"]
    return called and (whole or part)


def print_tables(questions: Sequence[Question], scored: Scored) -> None:
    """Print the measures over all questions, by part, by what they give away, and by language."""
    print(f"{'':<22}projects questions  " + "  ".join(f"{measure:>8}" for measure in MEASURES))
    for field in ("all", "part", "names_it", "language"):
        for value in sorted({question.get(field) or "" for question in questions}):
            group = [question for question in questions if (question.get(field) or "") == value]
            name = f"{field} {value}" if value or field == "all" else f"{field} nothing"
            print(f"{name:<22}{len({q['repo'] for q in group}):>8}{len(group):>10}  {_row(group, scored)}")


def _row(questions: Sequence[Question], scored: Scored) -> str:
    means = [mean_over_repositories(questions, scored, measure) for measure in MEASURES]
    return "  ".join(f"{mean:8.3f}" for mean in means)


def print_seconds(seconds: Sequence[float]) -> None:
    cut = statistics.quantiles(seconds, n=20)
    print(f"a question: {statistics.median(seconds):.2f} s in the middle, {cut[-1]:.2f} s for 19 of 20, on {cpu()}")


def print_changes(questions: Sequence[Question], before: Scored, now: Scored) -> None:
    """Print the means before and now, and the questions whose function is found elsewhere in the list."""
    both = [question for question in questions if question["id"] in before]
    print(f"before  {_row(both, before)}\nnow     {_row(both, now)}")
    for question in sorted(both, key=lambda q: now[q["id"]]["mrr"] - before[q["id"]]["mrr"]):
        change = now[question["id"]]["mrr"] - before[question["id"]]["mrr"]
        if abs(change) > 0.01:
            print(f"  {change:+.3f}  {question['id']}: {question['query'].splitlines()[0]}")


if __name__ == "__main__":
    main()
