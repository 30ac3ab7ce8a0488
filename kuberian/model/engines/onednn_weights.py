"""Weights in oneDNN's layouts, packed once.

Types: the residual is float32 always. What goes into a product is of the engine's precision (`narrow`); scores and
values stay float32: NumPy adds up a row of them, and a rounded softmax costs more quality than its product saves time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import Embeddings, Layer, Linear, Model, Norm, split_qkv
from kuberian.model.engines.buffers import aligned
from kuberian.model.int8.quantization import ByteLayer, ByteLinear, ByteModel, ByteNorm
from kuberian.model.native.onednn import BF16, F32, S8, U8, WEIGHTS, Memory, OneDnn, Primitive
from kuberian.model.safetensors_file import Array


@dataclass(frozen=True)
class Types:
    """oneDNN data types of a precision."""

    x: int  # what goes into a product
    qk: int  # queries and keys
    weights: int


TYPES = {"float32": Types(F32, F32, F32), "bfloat16": Types(BF16, BF16, BF16), "int8": Types(U8, S8, S8)}


@dataclass(frozen=True)
class PackedLinear:
    """A linear layer in oneDNN's layout."""

    weight: Memory
    bias: Memory  # float32 [1, out]
    step: Memory | None  # float32 [out], of int8 weights
    after: Memory | None = None  # float32 [1, out], multiplies what comes out of the activation


@dataclass(frozen=True)
class PackedNorm:
    """A layer norm, once for the residual and once for the product that follows."""

    gamma: Memory
    beta: Memory
    narrow: tuple[Memory, Memory] | None  # None in float32


@dataclass(frozen=True)
class Projections:
    """Query, key and value, each into a buffer of its own: oneDNN's fast kernels do not take views of a joint one."""

    query: PackedLinear
    key: PackedLinear
    value: PackedLinear
    score_scale: Memory | None  # float32 [1]: what a product of query and key bytes is worth


def to_bfloat16(x: Array) -> NDArray[np.uint16]:
    """Round to the nearest bfloat16, ties to even, as bits."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


class PackedModel:
    """A model's weights, as `bert.Layers`."""

    def __init__(self, embeddings: Embeddings, layers: Model | ByteModel, library: OneDnn, precision: str) -> None:
        """Take `layers` in float32, for float32 and bfloat16, or in bytes for int8."""
        self.library, self.precision, self.types = library, precision, TYPES[precision]
        self._layouts: dict[tuple[int, int], Any] = {}
        # Kernels by operation and shape. All programs share them, on any thread: each gives them memory to work in.
        self.primitives: dict[tuple, Primitive] = {}
        library.single_threaded()
        self.embeddings, self.config = embeddings, embeddings.config
        if isinstance(layers, ByteModel):
            self.embedding_norm = self._byte_norm(layers.embedding_norm)
            self.layers = tuple(self._byte_layer(layer) for layer in layers.layers)
        else:
            self.embedding_norm = self._norm(layers.embedding_norm)
            self.layers = tuple(self._layer(layer) for layer in layers.layers)

    def _vector(self, x: Array, rows: bool = False) -> Memory:
        copy = aligned((1, len(x)) if rows else (len(x),))
        copy[...] = x
        return self.library.array(copy, F32)

    def _pack(self, weight: NDArray) -> Memory:
        """Pack [in, out] of the weights' type."""
        lib, types, (into, out) = self.library, self.types, weight.shape
        if weight.shape not in self._layouts:
            # The layout is the same for any number of rows.
            rows = 64
            scaled = [(WEIGHTS, 2)] if self.precision == "int8" else []
            primitive = lib.matmul(
                lib.descriptor((rows, into), types.x), lib.any_layout((into, out), types.weights),
                lib.descriptor((rows, out), F32), lib.descriptor((1, out), F32), lib.attributes(scaled=scaled),
            )  # fmt: skip
            self._layouts[weight.shape] = primitive.weights_descriptor(), primitive
        return lib.packed(np.ascontiguousarray(weight), types.weights, self._layouts[weight.shape][0])

    def _linear(self, linear: Linear) -> PackedLinear:
        weight = linear.weight.T
        packed = self._pack(to_bfloat16(weight) if self.precision == "bfloat16" else weight)
        return PackedLinear(packed, self._vector(linear.bias, rows=True), None)

    def _norm(self, norm: Norm) -> PackedNorm:
        gamma, beta = self._vector(norm.gamma), self._vector(norm.beta)
        return PackedNorm(gamma, beta, None if self.precision == "float32" else (gamma, beta))

    def _layer(self, layer: Layer) -> Layer:
        query, key, value = (self._linear(linear) for linear in split_qkv(layer.qkv))
        return Layer(
            qkv=Projections(query, key, value, score_scale=None),
            attention_output=self._linear(layer.attention_output),
            attention_norm=self._norm(layer.attention_norm),
            intermediate=self._linear(layer.intermediate),
            output=self._linear(layer.output),
            output_norm=self._norm(layer.output_norm),
        )

    def _byte_linear(self, linear: ByteLinear, after: Array | None = None) -> PackedLinear:
        bias, step = self._vector(linear.bias, rows=True), self._vector(linear.step)
        return PackedLinear(
            self._pack(linear.weight), bias, step, None if after is None else self._vector(after, rows=True)
        )

    def _byte_norm(self, norm: ByteNorm) -> PackedNorm:
        narrow = self._vector(norm.byte_gamma), self._vector(norm.byte_beta)
        return PackedNorm(self._vector(norm.gamma), self._vector(norm.beta), narrow)

    def _byte_layer(self, layer: ByteLayer) -> Layer:
        query, key, value = (self._byte_linear(linear) for linear in (layer.query, layer.key, layer.value))
        return Layer(
            qkv=Projections(query, key, value, self._vector(layer.score_scale)),
            attention_output=self._byte_linear(layer.attention_output),
            attention_norm=self._byte_norm(layer.attention_norm),
            intermediate=self._byte_linear(layer.intermediate, layer.after_activation),
            output=self._byte_linear(layer.output),
            output_norm=self._byte_norm(layer.output_norm),
        )
