"""What arrays of the store are: ids, and vectors in memory and as they are stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Vectors in SQLite: half the room, and a thousandth of a unit vector's length lost.
STORED = np.dtype("<f2")
