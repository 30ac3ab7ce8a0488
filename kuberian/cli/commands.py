"""The command line: a thin skin over `indexer.index`, `searcher.Searcher` and the store.

Only this package imports both halves, each inside the commands that need it. So `kuberian search` never imports what
only indexing needs.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from kuberian.cli.here import Here, Refreshed, index_words, indexed, refresh_first, repository_here, require_index
from kuberian.cli.output import fail, print_explanations, print_json, print_results, shown_progress, tell_notes
from kuberian.cli.values import Command, seconds, size
from kuberian.settings import expanded

HomeOption = Annotated[str | None, typer.Option(help="The folder that Kuberian keeps its index in.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Semantic code search that you keep: index git repositories, then ask in plain words. Offline, on one CPU.",
)


@app.command(cls=Command)
def index(
    path: Annotated[str, typer.Argument(help="A git repository: its folder, or an address to keep a clone of.")] = ".",
    rev: Annotated[
        str | None, typer.Option(help="Index this tag, branch or commit, or both ends of A..B, not the working tree.")
    ] = None,
    tags: Annotated[str | None, typer.Option(help="Index the tags that match this glob, as in 'v*'.")] = None,
    model: Annotated[str | None, typer.Option(help="A BERT checkpoint folder to embed with.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16, int8 or auto, the fastest.")] = None,
    max_bytes: Annotated[
        int | None, typer.Option(parser=size, help="Skip files over this size (500KB, 2MB). Default: 1,000,000 bytes.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(parser=seconds, help="Stop after this time (60s, 10m); the next run goes on.")
    ] = None,
    submodules: Annotated[
        bool | None,
        typer.Option("--submodules/--no-submodules", help="Also index checked-out submodules. Default: as before."),
    ] = None,
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
    from kuberian.cli import show

    limit = MAX_BYTES if max_bytes is None else max_bytes
    if dry_run:
        from indexer import dry_run as run_dry

        explanations = run_dry(path, rev, limit, tags=tags, home=home, wait=wait, submodules=bool(submodules))
        print_explanations(explanations, as_json)
        return
    several = tags is not None or (rev is not None and ".." in rev)
    with nullcontext() if quiet else shown_progress() as progress:
        options: dict[str, Any] = {"model": model, "precision": precision, "max_bytes": limit, "wait": wait}
        options["submodules"] = submodules
        if several:
            reports = index_several(path, home, rev, tags, progress, budget=budget, **options)
        else:
            reports = [run(path, home, rev, progress=progress, budget=budget, **options)]
    if as_json:
        print_json([report.to_dict() for report in reports] if several else reports[0].to_dict())
    elif not quiet:
        print("\n".join(show.report(report) for report in reports))


@app.command(cls=Command)
def explain(
    path: Annotated[str, typer.Argument(help="A file in a git repository.")],
    max_bytes: Annotated[int | None, typer.Option(parser=size, help="As for index.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a file is indexed as, or why it is not.

    Exit status 1 if it is not.
    """
    from indexer import explain as examine
    from indexer.run import MAX_BYTES
    from kuberian.cli import show

    explanation = examine(path, MAX_BYTES if max_bytes is None else max_bytes, home)
    if as_json:
        print_json(explanation.to_dict())
    else:
        print(show.explanation(explanation))
    if explanation.skipped:
        raise typer.Exit(1)


@app.command(cls=Command)
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
    from searcher.changes import checking

    if path is not None:
        from searcher.path_filter import from_folder

        path = from_folder(path, expanded(".").absolute())
    if index_first:
        index_words(repo, home)
    with indexed(home):
        here = repository_here(home) if repo is None and not everywhere else Here(repo)
        with checking(home, here.repository if at is None else None) as check:
            from searcher import Searcher  # while git looks at the working tree

            with Searcher(home) as searcher:
                refreshed = refresh_first(check, home, refresh) if check else Refreshed(None)
                answer = searcher.search(" ".join(question), k, here.repository, lang, path, at, sys.platform)
        if not answer.results:
            require_index(home)
    tell_notes(here.note, refreshed.note)
    if as_json:
        print_json({**answer.to_dict(), "changed_files": refreshed.changed})
    else:
        print_results(answer, lines, why)
    if not answer.results:
        raise typer.Exit(1)


@app.command(cls=Command)
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for a free one.")] = 8080,
    home: HomeOption = None,
) -> None:
    """Answer questions over HTTP, as JSON, until ended: /search?q=..., /status, /healthz, /readyz.

    There is no password: whoever reaches the address can ask.
    """
    from searcher.serving.http import serve as run

    run(home, host, port, lambda address: print(f"serving on {address}", flush=True))


@app.command(cls=Command)
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
    from kuberian.cli import show
    from searcher import when as look

    require_index(home)
    here = repository_here(home) if repo is None else Here(repo)
    history = look(" ".join(question), k, home, here.repository, lang, path)
    tell_notes(here.note)
    if as_json:
        print_json(history.to_dict())
    else:
        print(show.history(history))
    if not history.lives:
        raise typer.Exit(fail("nothing here answers that", 1))


@app.command(cls=Command)
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what is indexed, since when, and its size.

    Of each repository: when and at which commit it was indexed, files, chunks and coverage.
    """
    from kuberian.cli import show
    from kuberian.store.home import Home
    from kuberian.store.status import status as describe

    home_status = describe(Home.at(home))
    if as_json:
        print_json(home_status.to_dict())
    else:
        print(show.home_status(home_status))


@app.command(cls=Command)
def forget(
    repo: Annotated[str, typer.Argument(help="An indexed repository: its name or folder.")],
    home: HomeOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for an index run to end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a repository out of the home, and all that only it used."""
    from kuberian.cli.show import printable
    from kuberian.store import repositories
    from kuberian.store.garbage import forget_repository
    from kuberian.store.home import Home

    opened = Home.at(home)
    opened.reader().close()  # raises if there is no home; the writer would make one
    with opened.writer(wait) as connection:
        repository = repositories.find(connection, repo)
        removed = forget_repository(connection, opened, repository)
    if as_json:
        print_json({"repository": repository.name, "path": repository.path, **removed.to_dict()})
    else:
        print(
            f"forgot {printable(repository.name)} ({printable(repository.path)}): "
            f"{removed.blobs:,} blobs, {removed.chunks:,} chunks, {removed.embeddings:,} embeddings"
        )


@app.command(cls=Command)
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
        removed = collect_garbage(connection, opened)
    if as_json:
        print_json(removed.to_dict())
    else:
        print(f"dropped {removed.blobs:,} blobs, {removed.chunks:,} chunks, {removed.embeddings:,} embeddings")


@app.command(cls=Command)
def doctor(
    check: Annotated[bool, typer.Option("--check", help="Read all of the index and say what is damaged.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what Kuberian runs on: the engine and versions.

    With --check, whether the index is sound; exit status 3 if not.
    """
    from kuberian.cli.doctor import check_home, examine

    facts = check_home(home) if check else examine()
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            print(f"{name:<12}{value}")


@app.command(cls=Command)
def version() -> None:
    """Print the version."""
    from kuberian import __version__

    print(f"kuberian {__version__}")
