"""oneDNN's kernels for one length of text, in order.

oneDNN's kernels are made for given shapes. So `bert.transformer` runs once per length, on a recorder that notes which
kernels it would run on which buffers; embedding a text of that length replays the notes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kuberian import onednn
from kuberian.bert import transformer
from kuberian.engines.buffers import aligned
from kuberian.engines.numpy_engine import attend
from kuberian.engines.onednn_weights import PackedLinear, PackedModel, PackedNorm, Projections
from kuberian.onednn import BF16, BIAS, DST, F32, SCALE, SCALES, SHIFT, SRC, WEIGHTS, Memory, PostOp
from kuberian.quantization import GELU_ZERO

# A text is run with up to this less one rows of padding, which attention leaves out: 32 programs serve 256 lengths.
LENGTH_STEP = 8
# Floats of attention scores that are worked on at a time (3 MB). Half or a quarter, which the second-level cache would
# hold, is slower by 1 to 3 % at 256 and 512 tokens: products of few rows are.
SCORES = 800_000
# A row's greatest score is not subtracted before exp; rows whose sum of exps shows that exp may have reached its ends,
# at -87 and 88, are computed again, the slow way.
SAFE_SUMS = (np.float32(np.exp(-50.0)), np.float32(np.exp(80.0)))

ACTIVATIONS = {"gelu": onednn.ERF_GELU, "gelu_tanh": onednn.TANH_GELU, "relu": onednn.RELU}


def padded(tokens: int) -> int:
    """Rows that so many tokens are run with."""
    return -(-tokens // LENGTH_STEP) * LENGTH_STEP


class Workspace:
    """Buffers for the longest text."""

    def __init__(self, model: PackedModel) -> None:
        self.model, config, types = model, model.config, model.types
        H, rows = config.hidden, padded(config.positions)

        def buffer(type_: int, *shape: int) -> NDArray:
            return aligned(shape, onednn.NUMPY_TYPES[type_])

        self.x = buffer(F32, rows, H)  # the residual
        # The same, ready for the next product; in float32 the residual is.
        self.narrow = self.x if model.precision == "float32" else buffer(types.x, rows, H)
        self.q, self.k, self.v = buffer(types.qk, rows, H), buffer(types.qk, rows, H), buffer(F32, rows, H)
        self.h = buffer(types.x, rows, config.intermediate)
        self.scores = buffer(F32, max(SCORES, config.heads * rows))
        self.context, self.narrow_context = buffer(F32, rows, H), buffer(types.x, rows, H)
        self.sums, self.inverse = buffer(F32, config.heads * rows), buffer(F32, config.heads * rows)


class Program:
    """The kernels for one length, in order: `bert.Operations` that note instead of computing.

    What an operation returns is the memory that will hold its result.
    """

    def __init__(self, workspace: Workspace, rows: int) -> None:
        model = workspace.model
        self.workspace, self.rows, self.tokens = workspace, rows, rows
        self.library, self.config, self.types = model.library, model.config, model.types
        self._steps: list[tuple[Callable, tuple]] = []
        self._primitives: dict[Any, onednn.Primitive] = {}
        self._alive: list[Any] = []
        self._score_scale: Memory | None = None
        H = self.config.hidden
        self.x = self._memory(workspace.x, F32, H)
        self.narrow = self._memory(workspace.narrow, self.types.x, H)
        transformer(self, model, self.x)

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
        H, space, qk = self.config.hidden, self.workspace, self.types.qk
        q, k, v = self._memory(space.q, qk, H), self._memory(space.k, qk, H), self._memory(space.v, F32, H)
        for name, projection, dst in (("qk", weights.query, q), ("qk", weights.key, k), ("v", weights.value, v)):
            self._product(name, self.narrow, projection, dst)
        self._score_scale = weights.score_scale
        return q, k, v

    def linear_activation(self, x: Memory, weights: PackedLinear) -> Memory:
        """[rows, hidden] -> [rows, intermediate]."""
        h = self._memory(self.workspace.h, self.types.x, self.config.intermediate)
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
        return self._memory(self.workspace.narrow_context, self.types.x, self.config.hidden)


class AttentionBlock:
    """softmax(q kᵀ) v for the queries first … first + count - 1."""

    def __init__(self, program: Program, qkv: tuple[Memory, ...], first: int, count: int) -> None:
        self.program, self.first, self.count = program, first, count
        self.q, self.k, self.v = qkv
        self.score_scale = program._score_scale
        self.safe = True
        space, heads, n = program.workspace, program.config.heads, program.rows
        self.scores = space.scores[: heads * count * n].reshape(heads, count, n)
        self.sums = space.sums[: heads * count].reshape(heads, count)
        self.inverse = space.inverse[: heads * count].reshape(count, heads)

    def note(self) -> None:
        """Add the steps to the program."""
        program, space, lib = self.program, self.program.workspace, self.program.library
        heads, n, count, H = program.config.heads, program.rows, self.count, program.config.hidden
        size, qk = H // heads, program.types.qk
        offset = self.first * H

        def by_head(array: NDArray, type_: int, rows: int, offset: int = 0, transposed: bool = False) -> Memory:
            """[rows, hidden] as [1, heads, rows, head size], or its last two axes swapped."""
            # The stride of the first axis means nothing, but another would mean a slower kernel.
            shape, strides = (1, heads, rows, size), (rows * H, size, H, 1)
            if transposed:
                shape, strides = (1, heads, size, rows), (rows * H, size, 1, H)
            return lib.memory(array, lib.descriptor(shape, type_, strides), offset * array.itemsize)

        q, k = by_head(space.q, qk, count, offset), by_head(space.k, qk, n, transposed=True)
        v, context = by_head(space.v, F32, n), by_head(space.context, F32, count, offset)
        scores = lib.memory(self.scores, lib.descriptor((1, heads, count, n), F32))
        exp = PostOp("eltwise", onednn.EXP)
        scaled = [(SRC, 0)] if self.score_scale else []
        product = program._primitive(
            ("scores", count), lambda: lib.matmul(q.md, k.md, scores.md, attributes=lib.attributes(exp, scaled=scaled))
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
        wide = lib.memory(space.context, rows, offset * 4)
        inverse = lib.memory(self.inverse, lib.descriptor((count * heads, 1), F32))
        type_ = program.types.x
        narrow = lib.memory(
            space.narrow_context, lib.descriptor((count * heads, size), type_), offset * space.narrow_context.itemsize
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
        self.safe = bool(SAFE_SUMS[0] <= self.sums.min() and self.sums.max() <= SAFE_SUMS[1])
        if self.safe:
            np.divide(np.float32(1), self.sums.T, out=self.inverse)
        else:
            self.inverse[...] = 1

    def _check(self) -> None:
        """Compute again if scores were too large or too small for exp."""
        if self.safe:
            return
        space, config, tokens = self.program.workspace, self.program.config, self.program.tokens
        to_float = (
            (lambda x: (x.astype(np.uint32) << 16).view(np.float32)) if space.q.dtype == np.uint16 else np.float32
        )
        q, k = (np.asarray(to_float(array[: self.program.rows]), np.float32) for array in (space.q, space.k))
        if self.score_scale:
            q = q * self.score_scale.array[0]
        queries = slice(self.first, self.first + self.count)
        space.context[queries] = attend(q[queries], k[:tokens], space.v[:tokens], config.heads)
