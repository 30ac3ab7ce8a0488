"""BERT's operations on oneDNN, in float32, bfloat16 or bytes: generated kernels with everything fused.

oneDNN's kernels are made for one length of text. So `bert.transformer` runs once per length, on a recorder that notes
which kernels it would run on which buffers; embedding a text of that length replays the notes.

Types: the residual is float32 always. What goes into a product is of the engine's precision (`narrow`); scores and
values stay float32: NumPy adds up a row of them, and a rounded softmax costs more quality than its product saves time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kuberian import onednn
from kuberian.bert import Embeddings, Layer, Linear, Model, Norm, embed_tokens, split_qkv, transformer
from kuberian.engines.buffers import aligned
from kuberian.engines.numpy_engine import attend
from kuberian.onednn import BF16, BIAS, DST, F32, S8, SCALE, SCALES, SHIFT, SRC, U8, WEIGHTS, Memory, OneDnn, PostOp
from kuberian.quantization import GELU_ZERO, ByteLayer, ByteLinear, ByteModel, ByteNorm
from kuberian.safetensors_file import Array

# A text is run with up to this less one rows of padding, which attention leaves out: 32 programs serve 256 lengths.
LENGTH_STEP = 8
# Floats of attention scores that are worked on at a time (1.2 MB): they stay in the second-level cache.
SCORES = 300_000
# Scores are clipped here before exp, instead of subtracting each row's greatest; rows whose sum of exps shows that it
# mattered are computed again, the slow way.
CLIP = 80.0
SAFE_SUMS = (np.float32(np.exp(-50.0)), np.float32(np.exp(CLIP - 1)))

ACTIVATIONS = {"gelu": onednn.ERF_GELU, "gelu_tanh": onednn.TANH_GELU, "relu": onednn.RELU}


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


class OneDnnEngine:
    """Weights packed once for oneDNN."""

    def __init__(self, embeddings: Embeddings, layers: Model | ByteModel, library: OneDnn, precision: str) -> None:
        """Take `layers` in float32, for float32 and bfloat16, or in bytes for int8."""
        self.library, self.precision, self.types = library, precision, TYPES[precision]
        self.description = f"oneDNN {library.version}, {precision}"
        self._layouts: dict[tuple[int, int], Any] = {}
        library.single_threaded()
        self.embeddings, self.config = embeddings, embeddings.config
        if isinstance(layers, ByteModel):
            self.embedding_norm = self._byte_norm(layers.embedding_norm)
            self.layers = tuple(self._byte_layer(layer) for layer in layers.layers)
        else:
            self.embedding_norm = self._norm(layers.embedding_norm)
            self.layers = tuple(self._layer(layer) for layer in layers.layers)

    def worker(self) -> OneDnnWorker:
        """Make a worker for the calling thread."""
        return OneDnnWorker(self)

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


class OneDnnWorker:
    """Buffers for the longest text, and a program per length that came up."""

    def __init__(self, engine: OneDnnEngine) -> None:
        self.engine, config = engine, engine.config
        rows = -(-config.positions // LENGTH_STEP) * LENGTH_STEP
        types, H = engine.types, config.hidden

        def buffer(type_: int, *shape: int) -> NDArray:
            return aligned(shape, onednn.NUMPY_TYPES[type_])

        self.x = buffer(F32, rows, H)  # the residual
        # The same, ready for the next product; in float32 the residual is.
        self.narrow = self.x if engine.precision == "float32" else buffer(types.x, rows, H)
        self.q, self.k, self.v = buffer(types.qk, rows, H), buffer(types.qk, rows, H), buffer(F32, rows, H)
        self.h = buffer(types.x, rows, config.intermediate)
        self.scores = buffer(F32, max(SCORES, config.heads * rows))
        self.context, self.narrow_context = buffer(F32, rows, H), buffer(types.x, rows, H)
        self.sums, self.inverse = buffer(F32, config.heads * rows), buffer(F32, config.heads * rows)
        self._programs: dict[int, Program] = {}
        self._out = np.empty((0, H), np.float32)

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> Array:
        """Run BERT on each sequence of token ids -> [tokens, hidden], valid until the next call."""
        self.engine.library.single_threaded()  # a worker may come to another thread than the one it was made in
        if len(sequences) == 1:
            return self._run(sequences[0])
        total = sum(map(len, sequences))
        if len(self._out) < total:
            self._out = np.empty((total, self.x.shape[1]), np.float32)
        start = 0
        for ids in sequences:
            self._out[start : start + len(ids)] = self._run(ids)
            start += len(ids)
        return self._out[:total]

    def _run(self, ids: Sequence[int]) -> Array:
        n = len(ids)
        rows = -(-n // LENGTH_STEP) * LENGTH_STEP
        program = self._programs.get(rows)
        if program is None:
            program = self._programs[rows] = Program(self, rows)
        embed_tokens(self.engine.embeddings, [ids], out=self.x)
        self.x[n:rows] = 0
        program.run(n)
        return self.x[:n]


class Program:
    """The kernels for one length, in order: `bert.Operations` that note instead of computing.

    What an operation returns is the memory that will hold its result.
    """

    def __init__(self, worker: OneDnnWorker, rows: int) -> None:
        self.worker, self.rows, self.tokens = worker, rows, rows
        self.library, self.config = worker.engine.library, worker.engine.config
        self.types, self.precision = worker.engine.types, worker.engine.precision
        self._steps: list[tuple[Callable, tuple]] = []
        self._primitives: dict[Any, onednn.Primitive] = {}
        self._alive: list[Any] = []
        self._score_scale: Memory | None = None
        H = self.config.hidden
        self.x = self._memory(worker.x, F32, H)
        self.narrow = self._memory(worker.narrow, self.types.x, H)
        transformer(self, worker.engine, self.x)

    def run(self, tokens: int) -> None:
        """Compute; rows from `tokens` on are padding."""
        self.tokens = tokens
        for function, arguments in self._steps:
            function(*arguments)

    def implementations(self) -> dict[str, str]:
        """Name oneDNN's kernel of every operation; a "ref" among them would be a thousand times slower."""
        return {str(key[0]): primitive.implementation for key, primitive in self._primitives.items()}

    def _memory(self, array: NDArray, type_: int, columns: int) -> Memory:
        return self.library.memory(array, self.library.descriptor((self.rows, columns), type_))

    def _note(self, primitive: onednn.Primitive, memories: dict[int, Memory]) -> None:
        call = primitive.bind(memories)
        self._alive.append(call)
        self._steps.append((self.library.execute, call.arguments))

    def _primitive(self, key: tuple, make: Callable[[], onednn.Primitive]) -> onednn.Primitive:
        if key not in self._primitives:
            self._primitives[key] = make()
        return self._primitives[key]

    def _product(self, key: str, src: Memory, weights: PackedLinear, dst: Memory, *post_ops: PostOp) -> None:
        """Note dst = post_ops(src @ weight * step + bias)."""
        lib = self.library
        attributes = partial(lib.attributes, *post_ops, scaled=[(WEIGHTS, 2)] if weights.step else [])
        primitive = self._primitive(
            (key,), lambda: lib.matmul(src.md, weights.weight.md, dst.md, weights.bias.md, attributes())
        )
        memories = {SRC: src, WEIGHTS: weights.weight, BIAS: weights.bias, DST: dst}
        if weights.step:
            memories[SCALES | WEIGHTS] = weights.step
        if weights.after:
            memories[onednn.post_op_argument(1)] = weights.after
        self._note(primitive, memories)

    def layer_norm(self, x: Memory, norm: PackedNorm) -> Memory:
        """[rows, hidden], in place; the narrow copy goes beside it."""
        lib = self.library

        def note(dst: Memory, gamma: Memory, beta: Memory) -> None:
            key = ("layer_norm", dst is self.narrow)
            primitive = self._primitive(key, lambda: lib.layer_norm(x.md, dst.md, self.config.epsilon))
            self._note(primitive, {SRC: x, DST: dst, SCALE: gamma, SHIFT: beta})

        if norm.narrow:
            note(self.narrow, *norm.narrow)
        note(x, norm.gamma, norm.beta)
        return x

    def linear(self, x: Memory, weights: Projections) -> tuple[Memory, ...]:
        """[rows, hidden] -> query, key, value, each [rows, hidden]."""
        H, worker, qk = self.config.hidden, self.worker, self.types.qk
        q, k, v = self._memory(worker.q, qk, H), self._memory(worker.k, qk, H), self._memory(worker.v, F32, H)
        for name, projection, dst in (("qk", weights.query, q), ("qk", weights.key, k), ("v", weights.value, v)):
            self._product(name, self.narrow, projection, dst)
        self._score_scale = weights.score_scale
        return q, k, v

    def linear_activation(self, x: Memory, weights: PackedLinear) -> Memory:
        """[rows, hidden] -> [rows, intermediate]."""
        h = self._memory(self.worker.h, self.types.x, self.config.intermediate)
        post_ops = [PostOp("eltwise", ACTIVATIONS[self.config.activation])]
        if weights.after:
            post_ops += [
                PostOp("multiply", operand=weights.after.md),
                PostOp("eltwise", onednn.LINEAR, 1.0, GELU_ZERO),
            ]
        self._product("activation", self.narrow, weights, h, *post_ops)
        return h

    def linear_add(self, x: Memory, weights: PackedLinear, residual: Memory) -> Memory:
        """[rows, any], [rows, hidden] -> [rows, hidden], in the residual's place."""
        self._product(f"add {x.array.shape[1]}", x, weights, residual, PostOp("sum"))
        return residual

    def attention(self, qkv: tuple[Memory, ...]) -> Memory:
        """[rows, hidden] each -> [rows, hidden], some queries at a time."""
        most = max(1, SCORES // (self.config.heads * self.rows))
        blocks = -(-self.rows // most)
        size = -(-self.rows // blocks)  # alike, and no more than `most`
        for first in range(0, self.rows, size):
            AttentionBlock(self, qkv, first, min(size, self.rows - first)).note()
        return self._memory(self.worker.narrow_context, self.types.x, self.config.hidden)


class AttentionBlock:
    """softmax(q kᵀ) v for the queries first … first + count - 1."""

    def __init__(self, program: Program, qkv: tuple[Memory, ...], first: int, count: int) -> None:
        self.program, self.first, self.count = program, first, count
        self.q, self.k, self.v = qkv
        self.score_scale = program._score_scale
        worker, heads, n = program.worker, program.config.heads, program.rows
        self.scores = worker.scores[: heads * count * n].reshape(heads, count, n)
        self.sums = worker.sums[: heads * count].reshape(heads, count)
        self.inverse = worker.inverse[: heads * count].reshape(count, heads)

    def note(self) -> None:
        """Add the steps to the program."""
        program, worker, lib = self.program, self.program.worker, self.program.library
        heads, n, count, H = program.config.heads, program.rows, self.count, program.config.hidden
        size, qk = H // heads, program.types.qk
        offset = self.first * H

        def by_head(array: NDArray, type_: int, rows: int, offset: int = 0, transposed: bool = False) -> Memory:
            """[rows, hidden] as [1, heads, rows, head size], or its last two axes swapped."""
            shape, strides = (1, heads, rows, size), (n * H, size, H, 1)
            if transposed:
                shape, strides = (1, heads, size, rows), (n * H, size, 1, H)
            return lib.memory(array, lib.descriptor(shape, type_, strides), offset * array.itemsize)

        q, k = by_head(worker.q, qk, count, offset), by_head(worker.k, qk, n, transposed=True)
        v, context = by_head(worker.v, F32, n), by_head(worker.context, F32, count, offset)
        scores = lib.memory(self.scores, lib.descriptor((1, heads, count, n), F32))
        exp = (PostOp("eltwise", onednn.CLIP, -CLIP, CLIP), PostOp("eltwise", onednn.EXP))
        scaled = [(SRC, 0)] if self.score_scale else []
        product = program._primitive(
            ("scores", count), lambda: lib.matmul(q.md, k.md, scores.md, attributes=lib.attributes(*exp, scaled=scaled))
        )
        memories = {SRC: q, WEIGHTS: k, DST: scores}
        if self.score_scale:
            memories[SCALES | SRC] = self.score_scale
        program._note(product, memories)
        program._steps.append((self._sum, ()))
        product = program._primitive(("context", count), lambda: lib.matmul(scores.md, v.md, context.md))
        program._note(product, {SRC: scores, WEIGHTS: v, DST: context})
        # softmax's denominator, and the rounding to the narrow type
        rows = lib.descriptor((count * heads, size), F32)
        wide = lib.memory(worker.context, rows, offset * 4)
        inverse = lib.memory(self.inverse, lib.descriptor((count * heads, 1), F32))
        type_ = program.types.x
        narrow = lib.memory(
            worker.narrow_context, lib.descriptor((count * heads, size), type_), offset * worker.narrow_context.itemsize
        )
        # oneDNN 3.2 takes 5 ms where this product is to be rounded to bfloat16, and 0.05 ms in two steps
        quotient = wide if type_ == BF16 else narrow
        product = program._primitive(("divide", count), lambda: lib.multiply(wide.md, inverse.md, quotient.md))
        program._steps.append((self._check, ()))
        program._note(product, {SRC: wide, onednn.SRC_1: inverse, DST: quotient})
        if quotient is not narrow:
            product = program._primitive(("round", count), lambda: lib.reorder(wide.md, narrow.md))
            program._note(product, {SRC: wide, DST: narrow})

    def _sum(self) -> None:
        """Leave padding out, and add up each query's scores."""
        if self.program.tokens < self.program.rows:
            self.scores[:, :, self.program.tokens :] = 0
        np.einsum("hqk->hq", self.scores, out=self.sums)
        np.divide(np.float32(1), self.sums.T, out=self.inverse)

    def _check(self) -> None:
        """Compute again without clipping if scores were so large or small that it showed."""
        if SAFE_SUMS[0] <= self.sums.min() and self.sums.max() <= SAFE_SUMS[1]:
            return
        worker, config, tokens = self.program.worker, self.program.config, self.program.tokens
        to_float = (
            (lambda x: (x.astype(np.uint32) << 16).view(np.float32)) if worker.q.dtype == np.uint16 else np.float32
        )
        q, k = (np.asarray(to_float(array[: self.program.rows]), np.float32) for array in (worker.q, worker.k))
        if self.score_scale:
            q = q * self.score_scale.array[0]
        queries = slice(self.first, self.first + self.count)
        worker.context[queries] = attend(q[queries], k[:tokens], worker.v[:tokens], config.heads)
        self.inverse[...] = 1
