"""Files made to be hard, in every language: covered, without an exception, within 300 MB.

How long they take is for `python -m benchmarks.hard_files` to say.
"""

import json
import subprocess
import sys

import pytest

from indexer.chunking.chunks import cut
from tests.chunks.hard_files import SORTS, assert_covered, hard_file, languages

PROGRAM = """
import json, resource, sys
from indexer.chunking.chunks import cut
from tests.chunks.hard_files import assert_covered, hard_file

language, *sorts = sys.argv[1:]
cut("x", language)
grown = {}
for sort in sorts:
    text = hard_file(language, sort)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_covered(text, cut(text, language))
    grown[sort] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps(grown))
"""


def assert_cut_within_300_megabytes(language: str, sorts: list[str]) -> None:
    """In a process of its own: neither the parser's C stack nor the memory of this one is at stake."""
    command = [sys.executable, "-c", PROGRAM, language, *sorts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    grown = {sort: size * unit for sort, size in json.loads(done.stdout).items()}
    assert set(grown) == set(sorts)
    assert max(grown.values()) < 300_000_000, grown


@pytest.mark.parametrize("language", languages())
def test_broken_halved_and_oddly_ended_files_of_every_language(language):
    for sort in ("broken", "half a file", "mixed line ends, tabs, a mark"):
        text = hard_file(language, sort)
        assert_covered(text, cut(text, language))


@pytest.mark.long
@pytest.mark.parametrize("language", languages())
def test_deep_and_endless_files_of_every_language(language):
    assert_cut_within_300_megabytes(language, list(SORTS))
