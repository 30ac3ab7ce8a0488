"""Eight-bit weights and activations: which numbers of a model become which bytes.

An activation x of channel c becomes the byte round(x / scale[c] + zero[c]), a weight the signed byte
round(w * scale[in] / step[out]). Scales are per channel, so that channels with outliers take some of their range from
the weights behind them (SmoothQuant, Xiao et al. 2022, https://arxiv.org/abs/2211.10438); they cost nothing, as they
are folded into what writes the activation: the gamma of a layer norm, the value projection, a factor behind GELU.
So are the zeros, into the beta, the value's bias and a constant; what they add to a product is known beforehand, and
is taken off its bias. Unsigned activations are what VNNI multiplies without a detour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuberian.bert import Linear
from kuberian.safetensors_file import Array

# How much of a channel's outliers the weights take on: 1 is all. benchmarks/quantization.py has the alternatives.
ALPHA = 0.75
ALPHA_GELU = 0.9
# GELU is never below -0.17: its byte 0 may lie this far below zero.
GELU_LEAST = -0.17


@dataclass(frozen=True)
class Bytes:
    """How an activation is stored: round(x / scale + zero), as an unsigned byte."""

    scale: Array  # [channels]
    zero: Array  # [channels]


@dataclass(frozen=True)
class ByteLinear:
    """A linear layer from bytes: (bytes @ weight) * step + bias."""

    weight: np.ndarray  # int8 [in, out]
    step: Array  # [out]
    bias: Array  # [out]


def fit_bytes(weights: Array, seen: Array, alpha: float) -> Bytes:
    """Choose scales and zeros for an activation with the range `seen` [2, in] that goes into weights [out, in].

    A channel's scale is its half range to the power of alpha times its weights' to the power of alpha - 1; all are
    then made as small as the 255 steps allow.
    """
    half = np.maximum((seen[1] - seen[0]) / 2, 1e-5)
    middle = (seen[1] + seen[0]) / 2
    shape = half**alpha / np.maximum(np.abs(weights).max(0), 1e-5) ** (1 - alpha)
    scale = (shape * (half / shape).max() / 127).astype(np.float32)
    return Bytes(scale, (128 - middle / scale).astype(np.float32))


def fit_gelu_bytes(weights: Array, seen: Array, zero: float, alpha: float = ALPHA_GELU) -> Bytes:
    """Like fit_bytes for the output of GELU, with one zero for all channels: byte `zero` means 0."""
    high = np.maximum(seen[1], 1e-3)
    shape = high**alpha / np.maximum(np.abs(weights).max(0), 1e-5) ** (1 - alpha)
    scale = shape * (high / shape).max() / (255 - zero)
    scale = np.maximum(scale, -GELU_LEAST / zero).astype(np.float32) if zero > 0 else scale.astype(np.float32)
    return Bytes(scale, np.full_like(scale, zero))


def quantize(linear: Linear, input_: Bytes, output: Bytes | None = None) -> ByteLinear:
    """Bytes for a linear layer whose input is stored like `input_`; its output is divided by `output`'s scale."""
    w = linear.weight * input_.scale  # [out, in], for inputs in steps
    step = np.maximum(np.abs(w).max(1), 1e-12) / np.float32(127)
    weight = np.clip(np.rint(w / step[:, None]), -127, 127).astype(np.int8)
    bias = linear.bias - step * (weight.astype(np.float32) @ input_.zero)
    if output is not None:
        step, bias = step / output.scale, bias / output.scale + output.zero
    return ByteLinear(np.ascontiguousarray(weight.T), step.astype(np.float32), bias.astype(np.float32))
