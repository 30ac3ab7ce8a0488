"""Weights to signed bytes, so that their products with real inputs err least.

GPTQ (Frantar et al. 2022, https://arxiv.org/abs/2210.17323): weights are rounded one input channel after the other. The
weights of later channels make good the error of each rounding, as far as the inputs' covariance allows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kuberian.model.safetensors_file import Array

# This share of the mean variance is added to every channel's variance: the calibration has not seen all texts. Of 0.01
# and 0.1, this had the better hundredth and the same mean, on texts that the calibration had not seen.
DAMPING = 0.1
# After so many columns, the rest is corrected at once, by a product of matrices.
BLOCK = 128


def round_weights(weight: Array, step: Array, covariance: NDArray) -> NDArray[np.int8]:
    """Round weight [out, in] to whole steps [out], within ±127, for inputs with this covariance [in, in].

    Returns [out, in], in units of the step.
    """
    channels = weight.shape[1]
    variances = np.diag(covariance)
    order = np.argsort(-variances, kind="stable")  # most variance first: most channels are left to make its errors good
    damped = covariance[np.ix_(order, order)] + np.eye(channels) * max(DAMPING * variances.mean(), 1e-12)
    # Row i says how the channels after i make good an error in channel i.
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T.astype(np.float32)
    w = weight[:, order].astype(np.float32)
    rounded = np.empty(w.shape, np.float32)
    for first in range(0, channels, BLOCK):
        last = min(first + BLOCK, channels)
        errors = np.empty((len(w), last - first), np.float32)
        for i in range(first, last):
            rounded[:, i] = np.clip(np.rint(w[:, i] / step), -127, 127)
            error = errors[:, i - first] = (w[:, i] - rounded[:, i] * step) / spread[i, i]
            w[:, i:last] -= np.outer(error, spread[i, i:last])
        w[:, last:] -= errors @ spread[first:last, last:]
    result = np.empty(w.shape, np.int8)
    result[:, order] = rounded.astype(np.int8)
    return result
