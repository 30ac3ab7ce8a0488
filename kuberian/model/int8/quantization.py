"""Eight-bit weights and activations: which numbers of a model become which bytes.

An activation x of channel c becomes the byte round(x / scale[c] + zero[c]), a weight the signed byte
round(w * scale[in] / step[out]). There is a scale per channel: the weights behind a channel with outliers take on some
of its range (SmoothQuant, Xiao et al. 2022, https://arxiv.org/abs/2211.10438). Scales cost nothing: they are folded
into what writes the activation, which is the gamma of a layer norm, the value projection, or a factor behind GELU.
Zeros cost nothing either: they are folded into the beta, the value's bias, or a constant. What they add to a product
is known beforehand, and is taken off its bias. Activations are unsigned, because VNNI multiplies those directly.

Weights are rounded so that products err least (`rounding`). What rounding adds to the product of the mean input is
taken off the bias: a text's vector is the mean of its tokens' vectors, where this error would add up and others cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import FoldedLayer, FoldedModel, Linear, Norm
from kuberian.model.int8.activations import Activations, LayerActivations
from kuberian.model.int8.rounding import round_weights
from kuberian.model.safetensors_file import Array

# ALPHA is how much of a channel's outliers the weights take on; 1 is all. GELU_ZERO is the byte that means 0 behind
# GELU, which has little below. Of 0.6 to 1 and 12 to 40, these two had the best cosines to float32, on code and prose
# that the calibration had not seen. Above,
# activations beyond the calibration's ranges cost some texts ten times the mean.
ALPHA = 0.85
GELU_ZERO = 12.0
# GELU is never below this.
GELU_LEAST = -0.17


@dataclass(frozen=True)
class Bytes:
    """How an activation x is stored: as the unsigned byte round(x / scale + zero)."""

    scale: Array  # [channels], or one for all
    zero: Array  # [channels], or one for all


@dataclass(frozen=True)
class ByteLinear:
    """A linear layer that takes bytes: x -> (x @ weight) * step + bias."""

    weight: NDArray[np.int8]  # [in, out]
    step: Array  # [out]
    bias: Array  # [out]


@dataclass(frozen=True)
class ByteNorm:
    """A layer norm, once for the residual and once for its bytes: with their scale and zero folded in."""

    gamma: Array  # [hidden]
    beta: Array  # [hidden]
    byte_gamma: Array  # [hidden]
    byte_beta: Array  # [hidden]


@dataclass(frozen=True)
class ByteLayer:
    """`kuberian.model.bert.Layer` in bytes."""

    query: ByteLinear
    key: ByteLinear
    value: ByteLinear
    score_scale: Array  # [1]: turns a product of query and key bytes into a score
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


def quantize_model(model: FoldedModel, activations: Iterable[LayerActivations]) -> ByteModel:
    """Choose how to store activations like these, which come layer by layer, and round the weights to fit."""
    layers, inputs = [], []
    for layer, layer_activations in zip(model.layers, activations, strict=True):
        inputs.append(fit_bytes(layer.qkv.weight, layer_activations.x))
        layers.append(_quantize_layer(layer, layer_activations, inputs[-1]))
    # No layer follows the last layer norm: its bytes are not used.
    inputs.append(Bytes(np.ones_like(inputs[0].scale), np.zeros_like(inputs[0].zero)))
    norms = [_norm(layer.output_norm, following) for layer, following in zip(model.layers, inputs[1:], strict=True)]
    return ByteModel(
        _norm(model.embedding_norm, inputs[0]),
        tuple(replace(layer, output_norm=norm) for layer, norm in zip(layers, norms, strict=True)),
    )


def _quantize_layer(layer: FoldedLayer, activations: LayerActivations, x: Bytes) -> ByteLayer:
    """Quantize all but the last norm: its bytes depend on the next layer."""
    context = fit_bytes(layer.attention_output.weight, activations.context)
    middle = fit_bytes(layer.intermediate.weight, activations.middle)
    h = fit_gelu_bytes(layer.output.weight, activations.h)
    query_step, key_step = activations.query / np.float32(127), activations.key / np.float32(127)
    query, key, value = _split(quantize(layer.qkv, x, activations.x))
    return ByteLayer(
        query=_store_as(query, Bytes(query_step, np.float32(0))),
        key=_store_as(key, Bytes(key_step, np.float32(0))),
        value=_store_as(value, context),
        score_scale=np.array([query_step * key_step], np.float32),
        attention_output=quantize(layer.attention_output, context, activations.context),
        attention_norm=_norm(layer.attention_norm, middle),
        intermediate=quantize(layer.intermediate, middle, activations.middle),
        after_activation=np.float32(1) / h.scale,
        output=quantize(layer.output, h, activations.h),
        output_norm=ByteNorm(*[layer.output_norm.gamma, layer.output_norm.beta] * 2),
    )


def _split(qkv: ByteLinear) -> Iterator[ByteLinear]:
    """Yield query, key and value of a joint linear layer."""
    parts = np.split(qkv.weight, 3, axis=1), np.split(qkv.step, 3), np.split(qkv.bias, 3)
    return (ByteLinear(np.ascontiguousarray(weight), step, bias) for weight, step, bias in zip(*parts, strict=True))


def _store_as(linear: ByteLinear, output: Bytes) -> ByteLinear:
    """Fold scale and zero of its output into a linear layer."""
    return ByteLinear(linear.weight, linear.step / output.scale, linear.bias / output.scale + output.zero)


def _norm(norm: Norm, output: Bytes) -> ByteNorm:
    return ByteNorm(norm.gamma, norm.beta, norm.gamma / output.scale, norm.beta / output.scale + output.zero)


def fit_bytes(weights: Array, activations: Activations) -> Bytes:
    """Choose scales and zeros [in] for an activation that goes into weights [out, in].

    A channel's scale is half its range to the power of ALPHA, times its greatest weight to the power of ALPHA - 1.
    Then all scales are made as small as 255 steps allow.
    """
    half = np.maximum((activations.greatest - activations.least) / 2, 1e-5)
    middle = (activations.greatest + activations.least) / 2
    scale = _share(half, weights) / np.float32(127)
    return Bytes(scale, (128 - middle / scale).astype(np.float32))


def fit_gelu_bytes(weights: Array, activations: Activations) -> Bytes:
    """Choose as fit_bytes does, but for the output of GELU, with one zero for all channels."""
    scale = _share(np.maximum(activations.greatest, 1e-3), weights) / np.float32(255 - GELU_ZERO)
    scale = np.maximum(scale, np.float32(-GELU_LEAST / GELU_ZERO))
    return Bytes(scale, np.full_like(scale, GELU_ZERO))


def _share(ranges: Array, weights: Array) -> Array:
    """Share the channels' ranges between activations and weights; no channel gets less than its range."""
    shape = ranges**ALPHA / np.maximum(np.abs(weights).max(0), 1e-5) ** (1 - ALPHA)
    return (shape * (ranges / shape).max()).astype(np.float32)


def quantize(linear: Linear, input_: Bytes, activations: Activations) -> ByteLinear:
    """Round a linear layer to bytes, for inputs that are stored as `input_` says and are like `activations`."""
    w = linear.weight * input_.scale  # [out, in], for inputs in units of their scale
    step = np.maximum(np.abs(w).max(1), 1e-12) / np.float32(127)
    weight = round_weights(w, step, activations.covariance / np.outer(input_.scale, input_.scale))
    rounded = weight.astype(np.float32)
    lost = (w - rounded * step[:, None]) @ (activations.mean / input_.scale)
    bias = linear.bias + lost - step * (rounded @ input_.zero)
    return ByteLinear(np.ascontiguousarray(weight.T), step.astype(np.float32), bias.astype(np.float32))
