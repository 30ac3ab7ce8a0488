"""What Kuberian runs on, for `kuberian doctor` and for bug reports."""

from __future__ import annotations

import platform
import sqlite3


def examine() -> dict[str, str]:
    """Return names and values in the order to print them. Loads the model."""
    import faiss
    import numpy

    from kuberian import Encoder, __version__
    from kuberian.cores import available_cores
    from kuberian.git.command import version as git_version

    encoder = Encoder()
    return {
        "kuberian": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "cores": str(available_cores()),
        "engine": f"{encoder.engine} ({encoder.reason})" if encoder.reason else encoder.engine,
        "model": f"{encoder.name}, {encoder.dimension} dimensions, {encoder.max_tokens} tokens",
        "numpy": numpy.__version__,
        "faiss": faiss.__version__,
        "sqlite": sqlite3.sqlite_version,
        "git": git_version() or "not found: indexing needs it",
    }


def check_home(home: str | None) -> dict[str, str]:
    """Read all of a home, and return what was read. Raises HomeError that names what is damaged."""
    from contextlib import closing

    from kuberian.cli.show import size
    from kuberian.errors import HomeError
    from kuberian.store import damage
    from kuberian.store.folder import bytes_on_disk
    from kuberian.store.home import Home

    opened = Home.at(home)
    with closing(opened.reader()) as connection:
        damages = damage.examine(opened, connection)
    if damages:
        damage.suspect(opened)
        raise HomeError(f"{'; '.join(map(str, damages))}: `kuberian index PATH` builds anew from git what is damaged")
    files = [file for file in (opened.database, *opened.vector_files()) if file.is_file()]
    return {"home": str(opened.folder), "sound": f"{len(files)} files, {size(bytes_on_disk(files))}"}
