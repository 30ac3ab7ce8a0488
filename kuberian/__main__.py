"""`python -m kuberian`: as the command `kuberian`, which needs no care about where it is started."""

import sys
from pathlib import Path

# `python -m` looks for modules in the working directory before anywhere else, and that may be anyone's repository, with
# an `indexer` or a `numpy` of its own. (`python -P`, or the command `kuberian`, never looks there.)
_ours = Path(__file__).resolve().parents[1]
try:
    _here = Path.cwd()
except OSError:  # the folder was deleted: there is nothing in it
    _here = _ours
if sys.path and sys.path[0] in ("", str(_here)) and _here != _ours:
    del sys.path[0]

from kuberian.cli.main import main  # noqa: E402

main()
