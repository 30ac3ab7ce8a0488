"""What goes into the products of a model, as far as rounding them has to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kuberian.model.safetensors_file import Array


@dataclass(frozen=True)
class Activations:
    """What goes into a linear layer, over all tokens."""

    least: Array  # [channels]
    greatest: Array  # [channels]
    mean: Array  # [channels]
    covariance: NDArray[np.float64]  # [channels, channels]


@dataclass(frozen=True)
class LayerActivations:
    """What goes into the products of one transformer layer."""

    x: Activations  # into query, key, value
    query: np.float32  # greatest magnitude of a scaled query
    key: np.float32  # greatest magnitude of a key
    context: Activations  # out of the attention (values without bias)
    middle: Activations  # into the feed-forward
    h: Activations  # behind GELU
