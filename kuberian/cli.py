"""The command line: a thin skin over `indexer.index`, `searcher.Searcher` and the store.

It alone imports both halves, each inside the commands that need it, so that `kuberian search` never pays for what only
indexing needs.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kuberian.errors import HomeError, KuberianError, UsageError

if TYPE_CHECKING:
    from indexer import Explanation
    from kuberian.progress import BarProgress, PlainProgress
    from kuberian.worktree import Check
    from searcher import SearchResults

HomeOption = Annotated[str | None, typer.Option(help="The folder that Kuberian keeps its index in.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# Set to anything, an internal error shows where it happened.
DEBUG_VARIABLE = "KUBERIAN_DEBUG"

# A search indexes what changed before it answers where that is expected to take no longer (kuberian/worktree.py).
REFRESH_SECONDS = 1.0

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Semantic code search that you keep: index git repositories, then ask in plain words. Offline, on one CPU.",
)


@app.command()
def index(
    path: Annotated[str, typer.Argument(help="A git repository: its folder, or an address to keep a clone of.")] = ".",
    rev: Annotated[
        str | None, typer.Option(help="Index this tag, branch or commit, or both ends of A..B, not the working tree.")
    ] = None,
    tags: Annotated[str | None, typer.Option(help="Index the tags that match this glob, as in 'v*'.")] = None,
    model: Annotated[str | None, typer.Option(help="A BERT checkpoint folder to embed with.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16, int8 or auto, the fastest.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Skip larger files. Default: 1,000,000.")] = None,
    budget: Annotated[str | None, typer.Option(help="Stop after this time (60s, 10m); the next run goes on.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what each file would be indexed as.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another index run to end.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Index a git repository, or bring its index up to date."""
    from indexer import index as run
    from indexer import index_several
    from indexer.run import MAX_BYTES
    from kuberian import show

    limit = MAX_BYTES if max_bytes is None else max_bytes
    if dry_run:
        from indexer import dry_run as run_dry

        _print_explanations(run_dry(path, rev, limit), as_json)
        return
    several = tags is not None or (rev is not None and ".." in rev)
    time = _seconds(budget)
    with nullcontext() if quiet else _progress() as progress:
        options: dict[str, Any] = {"model": model, "precision": precision, "max_bytes": limit, "wait": wait}
        if several:
            done = index_several(path, home, rev, tags, progress, budget=time, **options)
        else:
            done = [run(path, home, rev, progress=progress, budget=time, **options)]
    if as_json:
        _print_json([report.to_dict() for report in done] if several else done[0].to_dict())
    elif not quiet:
        print("\n".join(show.report(report) for report in done))


@app.command()
def explain(
    path: Annotated[str, typer.Argument(help="A file in a git repository.")],
    max_bytes: Annotated[int | None, typer.Option(help="As for index.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a file is indexed as, or why it is not.

    Exit status 1 if it is not.
    """
    from indexer import explain as examine
    from indexer.run import MAX_BYTES
    from kuberian import show

    found = examine(path, MAX_BYTES if max_bytes is None else max_bytes)
    if as_json:
        _print_json(found.to_dict())
    else:
        print(show.explanation(found))
    if found.skipped:
        raise typer.Exit(1)


@app.command()
def search(
    question: Annotated[list[str], typer.Argument(help="What to look for, in plain words or as a name in code.")],
    k: Annotated[int, typer.Option("-k", help="The number of results.")] = 10,
    repo: Annotated[str | None, typer.Option(help="Search this repository: its name or folder.")] = None,
    everywhere: Annotated[bool, typer.Option("--all", help="Search all repositories, also from inside one.")] = False,
    lang: Annotated[str | None, typer.Option(help="Only these languages, with commas between.")] = None,
    path: Annotated[str | None, typer.Option(help="Only paths that match these globs, as in .gitignore.")] = None,
    at: Annotated[str | None, typer.Option(help="Search this indexed tag, branch or commit; * is all.")] = None,
    lines: Annotated[int, typer.Option(min=0, help="Lines of code to show for each result on a terminal.")] = 12,
    refresh: Annotated[
        bool | None,
        typer.Option("--refresh/--no-refresh", help="Index what changed first. Default: if that takes under a second."),
    ] = None,
    index_first: Annotated[
        bool, typer.Option("--index", help="In a repository that is not indexed: read it first, and answer by words.")
    ] = False,
    why: Annotated[bool, typer.Option("--why", help="Say what made each result rank where it does.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question with the code that fits it best.

    Inside an indexed repository that one is searched, elsewhere all are. In a pipe each result is one line.
    """
    from kuberian.worktree import checking

    if index_first:
        _index_words(repo, home)
    if repo is None and not everywhere:
        repo = _repository_here(home)
    with checking(home, repo if at is None else None) as check:
        from searcher import Searcher  # while git looks at the working tree

        with Searcher(home) as searcher:
            changed = _refresh(check, home, refresh) if check else None
            found = searcher.search(" ".join(question), k, repo, lang, path, at)
    if as_json:
        _print_json({**found.to_dict(), "changed_files": changed})
    else:
        _print_results(found, lines, why)
    if not found.results:
        raise typer.Exit(1)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for a free one.")] = 8080,
    home: HomeOption = None,
) -> None:
    """Answer questions over HTTP, as JSON, until ended: /search?q=…, /status, /healthz, /readyz.

    There is no password: whoever reaches the address can ask.
    """
    from searcher.server import serve as run

    run(home, host, port, lambda address: print(f"serving on {address}", flush=True))


@app.command()
def when(
    question: Annotated[list[str], typer.Argument(help="What to look for, as for search.")],
    k: Annotated[int, typer.Option("-k", min=1, help="The number of answers.")] = 3,
    repo: Annotated[str | None, typer.Option(help="The repository: its name, folder or address.")] = None,
    lang: Annotated[str | None, typer.Option(help="Only these languages, with commas between.")] = None,
    path: Annotated[str | None, typer.Option(help="Only paths that match these globs, as in .gitignore.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in which indexed revision the best answers came, changed and went.

    `kuberian index --tags 'v*'` indexes the revisions to look at.
    """
    from kuberian import show
    from searcher import when as look

    found = look(" ".join(question), k, home, repo or _repository_here(home), lang, path)
    if as_json:
        _print_json(found.to_dict())
    else:
        print(show.history(found))
    if not found.lives:
        raise typer.Exit(_fail("nothing here answers that", 1))


@app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what is indexed, since when, and its size.

    Of each repository: when and at which commit it was indexed, files, chunks and coverage.
    """
    from kuberian import show
    from kuberian.store.home import Home
    from kuberian.store.status import status as describe

    found = describe(Home.at(home))
    if as_json:
        _print_json(found.to_dict())
    else:
        print(show.home_status(found))


@app.command()
def forget(
    repo: Annotated[str, typer.Argument(help="An indexed repository: its name or folder.")],
    home: HomeOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for an index run to end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a repository out of the home, and all that only it used."""
    from kuberian.show import printable
    from kuberian.store import repositories
    from kuberian.store.garbage import forget_repository
    from kuberian.store.home import Home

    opened = Home.at(home)
    opened.reader().close()  # says so if there is no home, instead of making one
    with opened.writer(wait) as connection:
        known = repositories.find(connection, repo)
        gone = forget_repository(connection, opened, known.id)
    if as_json:
        _print_json({"repository": known.name, "path": known.path, **gone.to_dict()})
    else:
        print(
            f"forgot {printable(known.name)} ({printable(known.path)}): "
            f"{gone.blobs:,} blobs, {gone.chunks:,} chunks, {gone.embeddings:,} embeddings"
        )


@app.command()
def gc(
    home: HomeOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for an index run to end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Drop what no snapshot uses any more.

    The home keeps contents and embeddings of files as they were before, so that going back costs nothing.
    """
    from kuberian.store.garbage import collect_garbage
    from kuberian.store.home import Home

    opened = Home.at(home)
    opened.reader().close()
    with opened.writer(wait) as connection:
        gone = collect_garbage(connection, opened)
    if as_json:
        _print_json(gone.to_dict())
    else:
        print(f"dropped {gone.blobs:,} blobs, {gone.chunks:,} chunks, {gone.embeddings:,} embeddings")


@app.command()
def doctor(
    check: Annotated[bool, typer.Option("--check", help="Read all of the index and say what is damaged.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what Kuberian runs on: the engine and versions.

    With --check, whether the index is sound; exit status 3 if not.
    """
    from kuberian.doctor import check_home, examine

    found = check_home(home) if check else examine()
    if as_json:
        _print_json(found)
    else:
        for name, value in found.items():
            print(f"{name:<12}{value}")


@app.command()
def version() -> None:
    """Print the version."""
    from kuberian import __version__

    print(f"kuberian {__version__}")


def main() -> None:
    """Run the command line: an error is one line on standard error and its exit status."""
    warnings.showwarning = _show_warning
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="kuberian", standalone_mode=False)
    except typer.TyperException as error:
        status = _usage_error(error)
    except KuberianError as error:
        status = _fail(str(error), error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        status = _fail("interrupted; what was done so far is kept", 130)
    except BrokenPipeError:
        # The reader of our pipe has what it wanted. Nothing may be flushed to it any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        status = _fail(
            f"internal error: {type(error).__name__}: {error}: please report it with what {DEBUG_VARIABLE}=1 prints", 3
        )
    sys.exit(status if isinstance(status, int) else 0)


def _usage_error(error: typer.TyperException) -> int:
    message = error.format_message().rstrip(".")
    if message.startswith("No such option") and len(sys.argv) > 1 and sys.argv[1] == "search":
        message += "; a question that begins with - goes after --"
    return _fail(f"{message}: see `kuberian --help`", 2)


def _fail(message: str, exit_status: int) -> int:
    from kuberian.show import printable

    print(f"kuberian: {printable(message)}", file=sys.stderr)
    return exit_status


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a line for a user, without the place in our code that raised it."""
    _fail(str(message), 0)


def _seconds(text: str | None) -> float | None:
    """Return a time as typed, `90`, `60s`, `10m` or `1h`, in seconds."""
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise UsageError(f"{text!r} is no time: write it as 60s, 10m or 1h") from None


def _progress() -> BarProgress | PlainProgress:
    from kuberian.progress import BarProgress, PlainProgress

    return BarProgress() if sys.stderr.isatty() else PlainProgress()


def _repository_here(home: str | None) -> str | None:
    """Return the folder of the indexed repository that we are in, or None; says so if we are in one that is not."""
    from kuberian.settings import enclosing_repository
    from kuberian.store.home import Home, database_errors
    from kuberian.store.repositories import at_folder

    root = enclosing_repository()
    if root is None:
        return None
    opened = Home.at(home)
    if opened.is_new():
        raise HomeError(f"nothing is indexed in {opened.folder} yet: run `kuberian index .` first, or add --index")
    with closing(opened.reader()) as connection, database_errors(opened):
        known = at_folder(connection, root)
    if known is None:
        _fail("this repository is not indexed: `kuberian index .`, or add --index; searching the others", 0)
        return None
    return known.path


def _index_words(repo: str | None, home: str | None) -> None:
    """Run the first phase of indexing for a repository that the home does not know yet."""
    from kuberian.settings import enclosing_repository
    from kuberian.store.home import Home
    from kuberian.store.repositories import find_all

    folder = repo or enclosing_repository()
    if folder is None:
        raise UsageError("--index indexes the repository that you are in, and this is none: go there, or give --repo")
    opened = Home.at(home)
    if not opened.is_new():
        with closing(opened.reader()) as connection:
            if find_all(connection, str(folder)):
                return
    from indexer import index as run

    with _progress() as progress:
        run(folder, home, progress=progress, meaning=False)


def _refresh(check: Check, home: str | None, asked: bool | None) -> int | None:
    """Index what changed in the working tree, if that was asked for or is quickly done; else say that it changed.

    Returns the number of changed files that the index does not have, or None where git did not say.
    """
    changes = check.changes()
    if changes is None or not changes.paths:
        return None if changes is None else 0
    count = len(changes.paths)
    reason = "--refresh indexes them first"
    if asked or (asked is None and changes.seconds <= REFRESH_SECONDS):
        from indexer import index as run

        try:
            with _progress() if asked else nullcontext() as progress:
                budget = None if asked else 2 * REFRESH_SECONDS
                meaning = asked or check.embedded  # what only --index read is not embedded while somebody waits
                done = run(check.root, home, progress=progress, budget=budget, meaning=meaning)
            if done.files_indexed or asked:
                return 0
        except KuberianError as error:
            if asked:
                raise
            reason = str(error)
    _fail(f"{count:,} file{'s' if count > 1 else ''} changed since this was indexed: {reason}", 0)
    return count


def _print_results(found: SearchResults, lines: int, why: bool) -> None:
    from kuberian import show

    if not found.results:
        print("kuberian: nothing here answers that", file=sys.stderr)
    elif sys.stdout.isatty():
        from rich.console import Console

        show.results_on_terminal(Console(highlight=False), found, lines, why)
    else:
        for result in found.results:
            print(show.line(result) + (f"\t{show.reasons(result)}" if why else ""))
    if found.coverage < 1:
        print(
            f"kuberian: only {found.coverage:.1%} of the chunks are embedded yet: `kuberian index` goes on",
            file=sys.stderr,
        )


def _print_explanations(found: list[Explanation], as_json: bool) -> None:
    from kuberian import show

    if as_json:
        _print_json([explanation.to_dict() for explanation in found])
    else:
        for explanation in found:
            print(show.explanation_line(explanation))


def _print_json(value: object) -> None:
    # ASCII: an undecodable byte of a path stays the escape that json.loads and os.fsencode turn back into it.
    print(json.dumps(value, indent=2))
