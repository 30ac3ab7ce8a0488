"""Eight-bit weights and activations: which numbers of a model become which bytes.

An activation x of channel c becomes the byte round(x / scale[c] + zero[c]), a weight the signed byte
round(w * scale[in] / step[out]). Scales are per channel, so that channels with outliers take some of their range from
the weights behind them (SmoothQuant, Xiao et al. 2022, https://arxiv.org/abs/2211.10438); they cost nothing, as they
are folded into what writes the activation: the gamma of a layer norm, the value projection, a factor behind GELU.
So are the zeros, into the beta, the value's bias and a constant; what they add to a product is known beforehand, and
is taken off its bias. Unsigned activations are what VNNI multiplies without a detour.

Weights are rounded so that products err least (`rounding`), and what rounding does to the mean input is taken off the
bias: a text's vector is the mean of its tokens', in which such errors would add up and all others cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import Layer, Linear, Model, Norm
from kuberian.model.int8.calibration import Activations, Seen
from kuberian.model.int8.rounding import round_weights
from kuberian.model.safetensors_file import Array

# How much of a channel's outliers the weights take on, 1 is all; and the byte that means 0 behind GELU, which has
# little below. Of 0.6 to 1 and 12 to 40 these had the best cosines to float32 on code and prose that the calibration
# had not seen; above, what exceeds the calibration's ranges costs some texts ten times the mean.
ALPHA = 0.85
GELU_ZERO = 12.0
# GELU is never below this.
GELU_LEAST = -0.17


@dataclass(frozen=True)
class Bytes:
    """How an activation is stored: round(x / scale + zero), as an unsigned byte."""

    scale: Array  # [channels], or one for all
    zero: Array  # [channels], or one for all


@dataclass(frozen=True)
class ByteLinear:
    """A linear layer from bytes: (bytes @ weight) * step + bias."""

    weight: NDArray[np.int8]  # [in, out]
    step: Array  # [out]
    bias: Array  # [out]


@dataclass(frozen=True)
class ByteNorm:
    """A layer norm for the residual, and again with what turns its result into bytes folded in."""

    gamma: Array
    beta: Array
    byte_gamma: Array
    byte_beta: Array


@dataclass(frozen=True)
class ByteLayer:
    """`kuberian.model.bert.Layer` in bytes."""

    query: ByteLinear
    key: ByteLinear
    value: ByteLinear
    score_scale: Array  # [1]: what a product of query and key bytes is worth
    attention_output: ByteLinear
    attention_norm: ByteNorm
    intermediate: ByteLinear
    after_activation: Array  # [intermediate]: multiplies GELU's result, before GELU_ZERO is added
    output: ByteLinear
    output_norm: ByteNorm


@dataclass(frozen=True)
class ByteModel:
    """What int8 needs beside the embeddings."""

    embedding_norm: ByteNorm
    layers: tuple[ByteLayer, ...]


def quantize_model(model: Model, seen: Iterable[Seen]) -> ByteModel:
    """Choose bytes for activations like those that were seen, layer by layer, and round the weights to fit."""
    layers, inputs = [], []
    for layer, activations in zip(model.layers, seen, strict=True):
        inputs.append(fit_bytes(layer.qkv.weight, activations.x))
        layers.append(_quantize_layer(layer, activations, inputs[-1]))
    # What the last layer norm would feed does not exist.
    inputs.append(Bytes(np.ones_like(inputs[0].scale), np.zeros_like(inputs[0].zero)))
    norms = [_norm(layer.output_norm, following) for layer, following in zip(model.layers, inputs[1:], strict=True)]
    return ByteModel(
        _norm(model.embedding_norm, inputs[0]),
        tuple(replace(layer, output_norm=norm) for layer, norm in zip(layers, norms, strict=True)),
    )


def _quantize_layer(layer: Layer, seen: Seen, x: Bytes) -> ByteLayer:
    """All but the last norm, which depends on what the next layer wants."""
    context = fit_bytes(layer.attention_output.weight, seen.context)
    middle = fit_bytes(layer.intermediate.weight, seen.middle)
    h = fit_gelu_bytes(layer.output.weight, seen.h)
    query_step, key_step = seen.query / np.float32(127), seen.key / np.float32(127)
    query, key, value = _split(quantize(layer.qkv, x, seen.x))
    return ByteLayer(
        query=_into(query, Bytes(query_step, np.float32(0))),
        key=_into(key, Bytes(key_step, np.float32(0))),
        value=_into(value, context),
        score_scale=np.array([query_step * key_step], np.float32),
        attention_output=quantize(layer.attention_output, context, seen.context),
        attention_norm=_norm(layer.attention_norm, middle),
        intermediate=quantize(layer.intermediate, middle, seen.middle),
        after_activation=np.float32(1) / h.scale,
        output=quantize(layer.output, h, seen.h),
        output_norm=ByteNorm(*[layer.output_norm.gamma, layer.output_norm.beta] * 2),
    )


def _split(qkv: ByteLinear) -> Iterator[ByteLinear]:
    """Yield query, key and value of the joint projection."""
    parts = np.split(qkv.weight, 3, axis=1), np.split(qkv.step, 3), np.split(qkv.bias, 3)
    return (ByteLinear(np.ascontiguousarray(weight), step, bias) for weight, step, bias in zip(*parts, strict=True))


def _into(linear: ByteLinear, output: Bytes) -> ByteLinear:
    """Let a linear layer's result be stored as bytes."""
    return ByteLinear(linear.weight, linear.step / output.scale, linear.bias / output.scale + output.zero)


def _norm(norm: Norm, into: Bytes) -> ByteNorm:
    return ByteNorm(norm.gamma, norm.beta, norm.gamma / into.scale, norm.beta / into.scale + into.zero)


def fit_bytes(weights: Array, seen: Activations) -> Bytes:
    """Choose scales and zeros for an activation that goes into weights [out, in].

    A channel's scale is its half range to the power of ALPHA times its weights' to the power of ALPHA - 1; all are
    then made as small as the 255 steps allow.
    """
    half = np.maximum((seen.greatest - seen.least) / 2, 1e-5)
    middle = (seen.greatest + seen.least) / 2
    scale = _share(half, weights) / np.float32(127)
    return Bytes(scale, (128 - middle / scale).astype(np.float32))


def fit_gelu_bytes(weights: Array, seen: Activations) -> Bytes:
    """Like fit_bytes for the output of GELU, with one zero for all channels."""
    scale = _share(np.maximum(seen.greatest, 1e-3), weights) / np.float32(255 - GELU_ZERO)
    scale = np.maximum(scale, np.float32(-GELU_LEAST / GELU_ZERO))
    return Bytes(scale, np.full_like(scale, GELU_ZERO))


def _share(ranges: Array, weights: Array) -> Array:
    """Share the channels' ranges between activations and weights; none of the results is below its range."""
    shape = ranges**ALPHA / np.maximum(np.abs(weights).max(0), 1e-5) ** (1 - ALPHA)
    return (shape * (ranges / shape).max()).astype(np.float32)


def quantize(linear: Linear, input_: Bytes, seen: Activations) -> ByteLinear:
    """Bytes for a linear layer whose input is stored like `input_`."""
    w = linear.weight * input_.scale  # [out, in], for inputs in steps
    step = np.maximum(np.abs(w).max(1), 1e-12) / np.float32(127)
    weight = round_weights(w, step, seen.covariance / np.outer(input_.scale, input_.scale))
    rounded = weight.astype(np.float32)
    lost = (w - rounded * step[:, None]) @ (seen.mean / input_.scale)
    bias = linear.bias + lost - step * (rounded @ input_.zero)
    return ByteLinear(np.ascontiguousarray(weight.T), step.astype(np.float32), bias.astype(np.float32))
