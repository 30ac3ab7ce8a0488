"""Weights in oneDNN's layouts, packed once.

The residual is always float32. What goes into a product has the engine's precision (`narrow`). Scores and values stay
float32: NumPy adds up each row of scores, and a rounded softmax loses more quality than its product gains time.
"""

from __future__ import annotations

from ctypes import c_void_p
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import Embeddings, FoldedLayer, FoldedModel, Layer, Linear, Model, Norm, split_qkv
from kuberian.model.int8.quantization import ByteLayer, ByteLinear, ByteModel, ByteNorm
from kuberian.model.native.buffers import aligned
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
    after_activation: Memory | None = None  # float32 [1, out]: multiplies the activation's result


@dataclass(frozen=True)
class PackedNorm:
    """A layer norm, once for the residual and once (`narrow`) for the product that follows."""

    gamma: Memory
    beta: Memory
    narrow: tuple[Memory, Memory] | None  # gamma and beta; None in float32


@dataclass(frozen=True)
class Projections:
    """Query, key and value, each into a buffer of its own: oneDNN's fast kernels do not take views of a joint one."""

    query: PackedLinear
    key: PackedLinear
    value: PackedLinear
    score_scale: Memory | None  # float32 [1], of int8: turns a product of query and key bytes into a score


def to_bfloat16(x: Array) -> NDArray[np.uint16]:
    """Round to the nearest bfloat16, ties to even, as bits."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


PackedLayer: TypeAlias = Layer[Projections, PackedLinear, PackedNorm]


class PackedModel:
    """A model's weights in oneDNN's layouts (`bert`), and the kernels that were made for them."""

    def __init__(self, embeddings: Embeddings, model: FoldedModel | ByteModel, library: OneDnn, precision: str) -> None:
        """Take the model in float32, for float32 and bfloat16, or in bytes for int8."""
        self.library, self.precision, self.types = library, precision, TYPES[precision]
        self._layouts: dict[tuple[int, ...], tuple[c_void_p, Primitive]] = {}
        # Kernels by operation and shape. All programs share them, on any thread: a program brings its own memory.
        self.primitives: dict[tuple, Primitive] = {}
        library.single_threaded()
        self.embeddings, self.config = embeddings, embeddings.config
        if isinstance(model, ByteModel):
            embedding_norm = self._byte_norm(model.embedding_norm)
            layers = tuple(self._byte_layer(layer) for layer in model.layers)
        else:
            embedding_norm = self._norm(model.embedding_norm)
            layers = tuple(self._layer(layer) for layer in model.layers)
        self.bert = Model(self.config, embedding_norm, layers)

    def _vector(self, x: Array, as_row: bool = False) -> Memory:
        copy = aligned((1, len(x)) if as_row else (len(x),))
        copy[...] = x
        return self.library.array(copy, F32)

    def _pack(self, weight: NDArray) -> Memory:
        """Pack weights [in, out], which are of the weights' type already."""
        lib, types, (inputs, outputs) = self.library, self.types, weight.shape
        if weight.shape not in self._layouts:
            # The layout is the same for any number of rows.
            rows = 64
            scaled = [(WEIGHTS, 2)] if self.precision == "int8" else []
            primitive = lib.matmul(
                lib.descriptor((rows, inputs), types.x), lib.any_layout((inputs, outputs), types.weights),
                lib.descriptor((rows, outputs), F32), lib.descriptor((1, outputs), F32), lib.attributes(scaled=scaled),
            )  # fmt: skip
            self._layouts[weight.shape] = primitive.weights_descriptor(), primitive
        return lib.packed(np.ascontiguousarray(weight), types.weights, self._layouts[weight.shape][0])

    def _linear(self, linear: Linear) -> PackedLinear:
        weight = linear.weight.T
        packed = self._pack(to_bfloat16(weight) if self.precision == "bfloat16" else weight)
        return PackedLinear(packed, self._vector(linear.bias, as_row=True), None)

    def _norm(self, norm: Norm) -> PackedNorm:
        gamma, beta = self._vector(norm.gamma), self._vector(norm.beta)
        return PackedNorm(gamma, beta, None if self.precision == "float32" else (gamma, beta))

    def _layer(self, layer: FoldedLayer) -> PackedLayer:
        query, key, value = (self._linear(linear) for linear in split_qkv(layer.qkv))
        return Layer(
            qkv=Projections(query, key, value, score_scale=None),
            attention_output=self._linear(layer.attention_output),
            attention_norm=self._norm(layer.attention_norm),
            intermediate=self._linear(layer.intermediate),
            output=self._linear(layer.output),
            output_norm=self._norm(layer.output_norm),
        )

    def _byte_linear(self, linear: ByteLinear, after_activation: Array | None = None) -> PackedLinear:
        after = None if after_activation is None else self._vector(after_activation, as_row=True)
        bias, step = self._vector(linear.bias, as_row=True), self._vector(linear.step)
        return PackedLinear(self._pack(linear.weight), bias, step, after)

    def _byte_norm(self, norm: ByteNorm) -> PackedNorm:
        narrow = self._vector(norm.byte_gamma), self._vector(norm.byte_beta)
        return PackedNorm(self._vector(norm.gamma), self._vector(norm.beta), narrow)

    def _byte_layer(self, layer: ByteLayer) -> PackedLayer:
        query, key, value = (self._byte_linear(linear) for linear in (layer.query, layer.key, layer.value))
        return Layer(
            qkv=Projections(query, key, value, self._vector(layer.score_scale)),
            attention_output=self._byte_linear(layer.attention_output),
            attention_norm=self._byte_norm(layer.attention_norm),
            intermediate=self._byte_linear(layer.intermediate, layer.after_activation),
            output=self._byte_linear(layer.output),
            output_norm=self._byte_norm(layer.output_norm),
        )
