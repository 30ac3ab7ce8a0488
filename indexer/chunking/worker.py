"""A worker process: it cuts the files that `workers` sends, one after the other, until its standard input ends.

Requests and answers are pickled. That is safe: they pass only between a program and its own child.
"""

from __future__ import annotations

import os
import pickle
from contextlib import suppress

from indexer.chunking.cutting import rows


def main() -> None:
    """Answer requests (path, data, options of `rows`) with `FileRows`, or with the exception that cutting raised."""
    with (
        suppress(EOFError, BrokenPipeError),  # the parent has ended, or was killed
        os.fdopen(os.dup(1), "wb") as answers,
        os.fdopen(os.dup(0), "rb") as requests,
    ):
        os.dup2(2, 1)  # text that a library prints must not get between the answers
        while True:
            path, data, options = pickle.load(requests)
            try:
                answer: object = rows(path, data, **options)
            except Exception as error:
                answer = error
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
