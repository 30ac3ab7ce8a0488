"""oneDNN's kernels for some texts of one length, in order.

oneDNN's kernels are made for given shapes. So `bert.transformer` runs once per shape, on a recorder that notes which
kernels it would run on which buffers; embedding texts of that shape replays the notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import transformer
from kuberian.model.engines.buffers import aligned
from kuberian.model.engines.onednn_weights import PackedLinear, PackedModel, PackedNorm, Projections
from kuberian.model.int8.quantization import GELU_ZERO
from kuberian.model.native import onednn
from kuberian.model.native.onednn import (
    BF16,
    BIAS,
    DST,
    F32,
    SCALE,
    SCALES,
    SCRATCHPAD,
    SHIFT,
    SRC,
    WEIGHTS,
    Call,
    Memory,
    PostOp,
)

# A text is run with up to this less one rows of padding, which attention leaves out: 32 lengths serve 256.
LENGTH_STEP = 8
# Rows that short texts of one length are run together in: weights, which come from the third-level cache, are used for
# more rows, and Python, which only one thread at a time can run, has less to do.
ROWS = 512
# Floats of attention scores that are worked on at a time (3 MB). Half or a quarter, which the second-level cache would
# hold, is slower by 1 to 3 % at 256 and 512 tokens: products of few rows are.
SCORES = 800_000
# A row's greatest score is not subtracted before exp; sequences of which a sum of exps shows that exp may have reached
# its ends, at -87 and 88, are computed again, the slow way.
SAFE_SUMS = (np.float32(np.exp(-50.0)), np.float32(np.exp(80.0)))

ACTIVATIONS = {"gelu": onednn.ERF_GELU, "gelu_tanh": onednn.TANH_GELU, "relu": onednn.RELU}


def padded(tokens: int) -> int:
    """Rows that so many tokens are run with."""
    return -(-tokens // LENGTH_STEP) * LENGTH_STEP


def are_safe(sums: NDArray) -> bool:
    """Tell whether no exp behind these sums can have reached its ends; NaN is not safe."""
    return bool(SAFE_SUMS[0] <= sums.min() and sums.max() <= SAFE_SUMS[1])


class Workspace:
    """Buffers for the longest text, or for as many short ones as are run together."""

    def __init__(self, model: PackedModel) -> None:
        self.model, config, types = model, model.config, model.types
        H, rows = config.hidden, max(padded(config.positions), ROWS)

        def buffer(type_: int, *shape: int) -> NDArray:
            return aligned(shape, onednn.NUMPY_TYPES[type_])

        self.x = buffer(F32, rows, H)  # the residual
        # The same, ready for the next product; in float32 the residual is.
        self.narrow = self.x if model.precision == "float32" else buffer(types.x, rows, H)
        self.q, self.k, self.v = buffer(types.qk, rows, H), buffer(types.qk, rows, H), buffer(F32, rows, H)
        self.h = buffer(types.x, rows, config.intermediate)
        # one query's scores at least
        self.scores = buffer(F32, max(SCORES, config.heads * rows))
        self.context, self.narrow_context = buffer(F32, rows, H), buffer(types.x, rows, H)
        self.sums, self.inverse = buffer(F32, config.heads * rows), buffer(F32, config.heads * rows)
        self._scratchpad = aligned((1 << 18,), np.uint8)

    def scratchpad(self, size: int) -> NDArray:
        """Working memory of kernels, at least so many bytes; kernels made earlier keep what they were given."""
        if self._scratchpad.size < size:
            self._scratchpad = aligned((size,), np.uint8)
        return self._scratchpad


class Program:
    """The kernels for `count` sequences of one length, in order: `bert.Operations` that note instead of computing.

    What an operation returns is the memory that will hold its result.
    """

    def __init__(self, workspace: Workspace, length: int, count: int) -> None:
        model = workspace.model
        self.workspace, self.length, self.count, self.rows = workspace, length, count, length * count
        self.tokens: Sequence[int] = ()
        self.library, self.config, self.types = model.library, model.config, model.types
        self._steps: list[tuple[Callable, tuple]] = []
        self._memories: dict[tuple, Memory] = {}
        self._alive: list[Any] = []
        self._score_scale: Memory | None = None
        self.x, self.narrow = self._rows(workspace.x, F32), self._rows(workspace.narrow, self.types.x)
        transformer(self, model, self.x)

    def run(self, tokens: Sequence[int]) -> None:
        """Compute; of each sequence, rows from its number of tokens on are padding."""
        self.tokens = tokens
        for function, arguments in self._steps:
            function(*arguments)

    def _view(
        self, array: NDArray, type_: int, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, row: int = 0
    ) -> Memory:
        """A buffer, or its part from a row on, as oneDNN is to see it; all layers share one such view."""
        address = array.ctypes.data + (row * array.strides[0] if row else 0)
        key = address, type_, shape, strides
        if key not in self._memories:
            descriptor = self.library.descriptor(shape, type_, strides)
            self._memories[key] = self.library.memory(array, descriptor, address - array.ctypes.data)
        return self._memories[key]

    def _rows(self, array: NDArray, type_: int) -> Memory:
        return self._view(array, type_, (self.rows, array.shape[1]))

    def _bind(self, primitive: onednn.Primitive, memories: dict[int, Memory]) -> Call:
        if primitive.scratchpad_bytes:
            scratchpad = self.workspace.scratchpad(primitive.scratchpad_bytes)
            key = scratchpad.ctypes.data, primitive
            if key not in self._memories:
                self._memories[key] = self.library.memory(scratchpad, primitive.scratchpad_descriptor)
            memories[SCRATCHPAD] = self._memories[key]
        return primitive.bind(memories)

    def _note(self, primitive: onednn.Primitive, memories: dict[int, Memory]) -> None:
        call = self._bind(primitive, memories)
        self._alive.append(call)
        self._steps.append((self.library.execute, call.arguments))

    def _primitive(self, key: tuple, make: Callable[[], onednn.Primitive]) -> onednn.Primitive:
        primitives = self.workspace.model.primitives
        if key not in primitives:
            primitives[key] = make()
        return primitives[key]

    def _product(self, key: str, src: Memory, weights: PackedLinear, dst: Memory, *post_ops: PostOp) -> None:
        """Note dst = post_ops(src @ weight * step + bias)."""
        lib = self.library
        attributes = partial(lib.attributes, *post_ops, scaled=[(WEIGHTS, 2)] if weights.step else [])
        primitive = self._primitive(
            (key, self.rows), lambda: lib.matmul(src.md, weights.weight.md, dst.md, weights.bias.md, attributes())
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
            key = ("layer_norm", self.rows, dst is self.narrow)
            primitive = self._primitive(
                key, lambda: lib.layer_norm(x.md, dst.md, self.config.epsilon, lib.attributes())
            )
            self._note(primitive, {SRC: x, DST: dst, SCALE: gamma, SHIFT: beta})

        if norm.narrow:
            note(self.narrow, *norm.narrow)
        note(x, norm.gamma, norm.beta)
        return x

    def linear(self, x: Memory, weights: Projections) -> tuple[Memory, ...]:
        """[rows, hidden] -> query, key, value, each [rows, hidden]."""
        space, qk = self.workspace, self.types.qk
        q, k, v = self._rows(space.q, qk), self._rows(space.k, qk), self._rows(space.v, F32)
        for name, projection, dst in (("qk", weights.query, q), ("qk", weights.key, k), ("v", weights.value, v)):
            self._product(name, self.narrow, projection, dst)
        self._score_scale = weights.score_scale
        return q, k, v

    def linear_activation(self, x: Memory, weights: PackedLinear) -> Memory:
        """[rows, hidden] -> [rows, intermediate]."""
        h = self._rows(self.workspace.h, self.types.x)
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
        """[rows, hidden] each -> [rows, hidden], some sequences at a time, or some queries of one."""
        length, heads = self.length, self.config.heads
        together = max(1, SCORES // (heads * length * length))
        blocks = -(-(heads * length * length) // SCORES)
        size = -(-length // blocks)  # queries of a block: alike, and no more than SCORES allow
        for sequence in range(0, self.count, together):
            sequences = range(sequence, min(sequence + together, self.count))
            for query in range(0, length, size):
                AttentionBlock(self, qkv, sequences, range(query, min(query + size, length))).note()
        return self._rows(self.workspace.narrow_context, self.types.x)


class AttentionBlock:
    """softmax(q kᵀ) v for some queries of some sequences; of more than one sequence, for all."""

    def __init__(self, program: Program, qkv: tuple[Memory, ...], sequences: range, queries: range) -> None:
        self.program, self.sequences, self.queries = program, sequences, queries
        self.q, self.k, self.v = qkv
        self.score_scale = program._score_scale
        space, heads, rows = program.workspace, program.config.heads, len(sequences) * len(queries)
        shape = len(sequences), heads, len(queries)
        self.scores = space.scores[: rows * heads * program.length].reshape(*shape, program.length)
        self.sums = space.sums[: rows * heads].reshape(shape)
        self.inverse = space.inverse[: rows * heads].reshape(len(sequences), len(queries), heads)
        self._raw: dict[int, Call] = {}

    def note(self) -> None:
        """Add the steps to the program."""
        program, space, lib = self.program, self.program.workspace, self.program.library
        heads, H = program.config.heads, program.config.hidden
        first, shape = self.sequences[0] * program.length + self.queries[0], (len(self.sequences), len(self.queries))
        program._note(*self._score_product(range(len(self.sequences)), [PostOp("eltwise", onednn.EXP)]))
        program._steps.append((self._sum, ()))
        scores = program._view(self.scores, F32, self.scores.shape)
        v = self._by_head(space.v, F32, len(self.sequences), program.length, self.sequences[0] * program.length)
        context = self._by_head(space.context, F32, *shape, first)
        product = program._primitive(
            ("context", *shape, program.length),
            lambda: lib.matmul(scores.md, v.md, context.md, attributes=lib.attributes()),
        )
        program._note(product, {SRC: scores, WEIGHTS: v, DST: context})
        # softmax's denominator, and the rounding to the narrow type
        count = heads * len(self.sequences) * len(self.queries)
        heads_of, type_ = (count, H // heads), program.types.x
        wide = program._view(space.context, F32, heads_of, row=first)
        narrow = program._view(space.narrow_context, type_, heads_of, row=first)
        inverse = program._view(self.inverse, F32, (count, 1))
        # oneDNN 3.2 takes 5 ms where this product is to be rounded to bfloat16, and 0.05 ms in two steps
        quotient = wide if type_ == BF16 else narrow
        product = program._primitive(
            ("divide", count), lambda: lib.multiply(wide.md, inverse.md, quotient.md, lib.attributes())
        )
        program._note(product, {SRC: wide, onednn.SRC_1: inverse, DST: quotient})
        if quotient is not narrow:
            product = program._primitive(("round", count), lambda: lib.reorder(wide.md, narrow.md, lib.attributes()))
            program._note(product, {SRC: wide, DST: narrow})

    def _by_head(
        self, array: NDArray, type_: int, sequences: int, rows: int, first: int, transposed: bool = False
    ) -> Memory:
        """[sequences * rows, hidden] from row `first` on as [sequences, heads, rows, head size], or transposed."""
        heads, H = self.program.config.heads, self.program.config.hidden
        size = H // heads
        shape, strides = (sequences, heads, rows, size), (rows * H, size, H, 1)
        if transposed:
            shape, strides = (sequences, heads, size, rows), (rows * H, size, 1, H)
        return self.program._view(array, type_, shape, strides, first)

    def _score_product(self, chosen: range, post_ops: list[PostOp]) -> tuple[onednn.Primitive, dict[int, Memory]]:
        """post_ops(q kᵀ) of some of this block's sequences, into their scores."""
        program, space, lib = self.program, self.program.workspace, self.program.library
        qk, length, count = program.types.qk, program.length, len(chosen)
        start = (self.sequences[0] + chosen[0]) * length
        q = self._by_head(space.q, qk, count, len(self.queries), start + self.queries[0])
        k = self._by_head(space.k, qk, count, length, start, transposed=True)
        part = self.scores[chosen[0] : chosen[0] + count]
        scores = program._view(part, F32, part.shape)
        scaled = [(SRC, 0)] if self.score_scale else []
        product = program._primitive(
            ("scores", count, len(self.queries), length, len(post_ops)),
            lambda: lib.matmul(q.md, k.md, scores.md, attributes=lib.attributes(*post_ops, scaled=scaled)),
        )
        memories = {SRC: q, WEIGHTS: k, DST: scores}
        if self.score_scale:
            memories[SCALES | SRC] = self.score_scale
        return product, memories

    def _sum(self) -> None:
        """Leave padding out, and add up each query's exps; compute again what was too large or too small for exp."""
        tokens = self.program.tokens[self.sequences[0] : self.sequences[-1] + 1]
        for scores, n in zip(self.scores, tokens, strict=True):
            if n < self.program.length:
                scores[:, :, n:] = 0
        np.einsum("shqk->shq", self.scores, out=self.sums)
        if not are_safe(self.sums):
            for i, (sums, n) in enumerate(zip(self.sums, tokens, strict=True)):
                if not are_safe(sums):
                    self._subtract_greatest(i, n)
        np.divide(np.float32(1), self.sums.transpose(0, 2, 1), out=self.inverse)

    def _subtract_greatest(self, i: int, tokens: int) -> None:
        """Compute the exps of the block's i-th sequence, of so many tokens, again, and their sums."""
        if i not in self._raw:
            product, memories = self._score_product(range(i, i + 1), [])
            self._raw[i] = self.program._bind(product, memories)
        self.program.library.check(self.program.library.execute(*self._raw[i].arguments))
        scores = self.scores[i]
        scores -= scores[:, :, :tokens].max(-1, keepdims=True)
        scores[:, :, tokens:] = -np.inf
        np.exp(scores, out=scores)
        np.einsum("hqk->hq", scores, out=self.sums[i])
