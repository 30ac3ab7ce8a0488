"""oneDNN's kernels for some texts of one length, in order.

oneDNN makes each kernel for given shapes. So `bert.transformer` runs once per shape, on a recorder that notes which
kernels to run on which buffers. Texts of that shape are embedded by replaying the notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import Operations, transformer
from kuberian.model.engines.onednn_weights import PackedLinear, PackedModel, PackedNorm, Projections
from kuberian.model.int8.quantization import GELU_ZERO
from kuberian.model.native import onednn
from kuberian.model.native.buffers import aligned
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

# A text's rows are padded to a multiple of this; attention leaves the padding out. So 32 lengths serve 256.
LENGTH_STEP = 8
# Short texts of one length are run together, up to so many rows: each weight, which comes from the third-level cache,
# is used for more rows, and Python, which only one thread at a time can run, has less to do.
MAX_ROWS = 512
# Floats of attention scores that are worked on at a time (3 MB). Half or a quarter of it would fit the second-level
# cache, but is slower by 1 to 3 % at 256 and 512 tokens, because its products have few rows.
MAX_SCORES = 800_000
# The greatest score of a row is not subtracted before exp, whose ends are at -87 and 88. A row's sum of exps tells
# whether exp may have reached them: if a sum lies outside of this range, its sequence is computed again, the slow way.
SAFE_EXP_SUMS = (np.float32(np.exp(-50.0)), np.float32(np.exp(80.0)))

ACTIVATIONS = {"gelu": onednn.ERF_GELU, "gelu_tanh": onednn.TANH_GELU, "relu": onednn.RELU}


def padded(tokens: int) -> int:
    """Return how many rows a text of so many tokens takes, padding included."""
    return -(-tokens // LENGTH_STEP) * LENGTH_STEP


def are_safe(exp_sums: NDArray) -> bool:
    """Tell whether no exp in these sums can have reached its ends; NaN is not safe."""
    return bool(SAFE_EXP_SUMS[0] <= exp_sums.min() and exp_sums.max() <= SAFE_EXP_SUMS[1])


class Workspace:
    """Buffers for the longest text, or for as many short texts as are run together."""

    def __init__(self, model: PackedModel) -> None:
        self.model, config, types = model, model.config, model.types
        H, rows = config.hidden, max(padded(config.positions), MAX_ROWS)

        def buffer(type_: int, *shape: int) -> NDArray:
            return aligned(shape, onednn.NUMPY_TYPES[type_])

        self.x = buffer(F32, rows, H)  # the residual
        # The residual in the type of the next product; in float32 it is the residual itself.
        self.narrow = self.x if model.precision == "float32" else buffer(types.x, rows, H)
        self.q, self.k, self.v = buffer(types.qk, rows, H), buffer(types.qk, rows, H), buffer(F32, rows, H)
        self.h = buffer(types.x, rows, config.intermediate)
        # The scores of one query fit in any case.
        self.scores = buffer(F32, max(MAX_SCORES, config.heads * rows))
        self.context, self.narrow_context = buffer(F32, rows, H), buffer(types.x, rows, H)
        self.exp_sums, self.inverse = buffer(F32, config.heads * rows), buffer(F32, config.heads * rows)
        self._scratchpad = aligned((1 << 18,), np.uint8)

    def scratchpad(self, size: int) -> NDArray:
        """Return working memory for a kernel, of at least `size` bytes; earlier kernels keep what they were given."""
        if self._scratchpad.size < size:
            self._scratchpad = aligned((size,), np.uint8)
        return self._scratchpad


# Buffers of query, key and value.
QkvMemories: TypeAlias = tuple[Memory, Memory, Memory]


class Program(Operations[Memory, QkvMemories, Projections, PackedLinear, PackedNorm]):
    """The kernels for `count` sequences of one padded length, in order: operations that note instead of computing.

    An operation returns the memory that will hold its result. Rows are those of all tokens, padding included.
    """

    def __init__(self, workspace: Workspace, length: int, count: int) -> None:
        model = workspace.model
        self.workspace, self.length, self.count, self.rows = workspace, length, count, length * count
        self.tokens: Sequence[int] = ()
        self.library, self.config, self.types = model.library, model.config, model.types
        self._steps: list[tuple[Callable, tuple]] = []
        self._memories: dict[tuple, Memory] = {}
        self._calls: list[Call] = []  # they must live as long as the steps, which hold their addresses
        self._score_scale: Memory | None = None
        self.x, self.narrow = self._rows(workspace.x, F32), self._rows(workspace.narrow, self.types.x)
        transformer(self, model.bert, self.x)

    def run(self, tokens: Sequence[int]) -> None:
        """Compute. `tokens` is each sequence's number of tokens; its other rows are padding."""
        self.tokens = tokens
        for function, arguments in self._steps:
            function(*arguments)

    def _view(
        self, array: NDArray, type_: int, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, row: int = 0
    ) -> Memory:
        """Return a buffer as oneDNN is to see it, from a row on; all layers share one such view."""
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
        self._calls.append(call)
        self._steps.append((self.library.execute, call.arguments))

    def _primitive(self, key: tuple, make: Callable[[], onednn.Primitive]) -> onednn.Primitive:
        primitives = self.workspace.model.primitives
        if key not in primitives:
            primitives[key] = make()
        return primitives[key]

    def _product(self, key: str, src: Memory, weights: PackedLinear, dst: Memory, *post_ops: PostOp) -> None:
        """Note dst = post_ops(src @ weight * step + bias); `key` names the kernel among those for as many rows."""
        lib = self.library
        attributes = partial(lib.attributes, *post_ops, scaled=[(WEIGHTS, 2)] if weights.step else [])
        primitive = self._primitive(
            (key, self.rows), lambda: lib.matmul(src.md, weights.weight.md, dst.md, weights.bias.md, attributes())
        )
        memories = {SRC: src, WEIGHTS: weights.weight, BIAS: weights.bias, DST: dst}
        if weights.step:
            memories[SCALES | WEIGHTS] = weights.step
        if weights.after_activation:
            memories[onednn.post_op_argument(1)] = weights.after_activation
        self._note(primitive, memories)

    def layer_norm(self, x: Memory, norm: PackedNorm) -> Memory:
        """Normalise each row, in place, and into the narrow copy: [rows, hidden] -> [rows, hidden]."""
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

    def linear(self, x: Memory, weights: Projections) -> QkvMemories:
        """Make query, key and value: [rows, hidden] -> [rows, hidden] each."""
        space, qk = self.workspace, self.types.qk
        q, k, v = self._rows(space.q, qk), self._rows(space.k, qk), self._rows(space.v, F32)
        for name, projection, dst in (("qk", weights.query, q), ("qk", weights.key, k), ("v", weights.value, v)):
            self._product(name, self.narrow, projection, dst)
        self._score_scale = weights.score_scale
        return q, k, v

    def linear_activation(self, x: Memory, weights: PackedLinear) -> Memory:
        """Compute activation(linear(x)): [rows, hidden] -> [rows, intermediate]."""
        h = self._rows(self.workspace.h, self.types.x)
        post_ops = [PostOp("eltwise", ACTIVATIONS[self.config.activation])]
        if weights.after_activation:
            post_ops += [
                PostOp("multiply", operand=weights.after_activation.md),
                PostOp("eltwise", onednn.LINEAR, 1.0, GELU_ZERO),
            ]
        self._product("activation", self.narrow, weights, h, *post_ops)
        return h

    def linear_add(self, x: Memory, weights: PackedLinear, residual: Memory) -> Memory:
        """Add linear(x) to the residual, in its place: [rows, any], [rows, hidden] -> [rows, hidden]."""
        self._product(f"add {x.array.shape[1]}", x, weights, residual, PostOp("sum"))
        return residual

    def attention(self, qkv: QkvMemories) -> Memory:
        """Compute softmax(q kᵀ) v: [rows, hidden] each -> [rows, hidden].

        A block is some short sequences, or some queries of a long one.
        """
        length, heads = self.length, self.config.heads
        together = max(1, MAX_SCORES // (heads * length * length))
        blocks = -(-(heads * length * length) // MAX_SCORES)
        size = -(-length // blocks)  # queries of a block: nearly alike, and with no more than MAX_SCORES scores
        for sequence in range(0, self.count, together):
            sequences = range(sequence, min(sequence + together, self.count))
            for query in range(0, length, size):
                AttentionBlock(self, qkv, sequences, range(query, min(query + size, length))).note()
        return self._rows(self.workspace.narrow_context, self.types.x)


class AttentionBlock:
    """softmax(q kᵀ) v for some queries of one sequence, or for all queries of several sequences."""

    def __init__(self, program: Program, qkv: QkvMemories, sequences: range, queries: range) -> None:
        self.program, self.sequences, self.queries = program, sequences, queries
        self.q, self.k, self.v = (memory.array for memory in qkv)
        self.score_scale = program._score_scale
        space, heads, rows = program.workspace, program.config.heads, len(sequences) * len(queries)
        shape = len(sequences), heads, len(queries)
        self.scores = space.scores[: rows * heads * program.length].reshape(*shape, program.length)
        self.exp_sums = space.exp_sums[: rows * heads].reshape(shape)
        self.inverse = space.inverse[: rows * heads].reshape(len(sequences), len(queries), heads)
        # By sequence: the product that writes its scores without exp.
        self._plain_scores: dict[int, Call] = {}

    def note(self) -> None:
        """Add the steps to the program."""
        program, space, lib = self.program, self.program.workspace, self.program.library
        heads, H = program.config.heads, program.config.hidden
        first, shape = self.sequences[0] * program.length + self.queries[0], (len(self.sequences), len(self.queries))
        program._note(*self._score_product(range(len(self.sequences)), [PostOp("eltwise", onednn.EXP)]))
        program._steps.append((self._sum_exps, ()))
        scores = program._view(self.scores, F32, self.scores.shape)
        v = self._by_head(self.v, F32, len(self.sequences), program.length, self.sequences[0] * program.length)
        context = self._by_head(space.context, F32, *shape, first)
        product = program._primitive(
            ("context", *shape, program.length),
            lambda: lib.matmul(scores.md, v.md, context.md, attributes=lib.attributes()),
        )
        program._note(product, {SRC: scores, WEIGHTS: v, DST: context})
        # Divide by softmax's denominator, and round to the narrow type.
        count = heads * len(self.sequences) * len(self.queries)
        by_head, type_ = (count, H // heads), program.types.x
        wide = program._view(space.context, F32, by_head, row=first)
        narrow = program._view(space.narrow_context, type_, by_head, row=first)
        inverse = program._view(self.inverse, F32, (count, 1))
        # oneDNN 3.2 takes 5 ms if this product also rounds to bfloat16, and 0.05 ms in two steps.
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
        """View [sequences * rows, hidden], from row `first` on, as [sequences, heads, rows, head size].

        If `transposed`, the last two axes change places.
        """
        heads, H = self.program.config.heads, self.program.config.hidden
        size = H // heads
        shape, strides = (sequences, heads, rows, size), (rows * H, size, H, 1)
        if transposed:
            shape, strides = (sequences, heads, size, rows), (rows * H, size, 1, H)
        return self.program._view(array, type_, shape, strides, first)

    def _score_product(self, chosen: range, post_ops: list[PostOp]) -> tuple[onednn.Primitive, dict[int, Memory]]:
        """Prepare post_ops(q kᵀ), of some of this block's sequences, into their scores."""
        program, lib = self.program, self.program.library
        qk, length, count = program.types.qk, program.length, len(chosen)
        start = (self.sequences[0] + chosen[0]) * length
        q = self._by_head(self.q, qk, count, len(self.queries), start + self.queries[0])
        k = self._by_head(self.k, qk, count, length, start, transposed=True)
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

    def _sum_exps(self) -> None:
        """Leave padding out, and add up each query's exps; where they are not safe, compute them again."""
        tokens = self.program.tokens[self.sequences[0] : self.sequences[-1] + 1]
        for scores, n in zip(self.scores, tokens, strict=True):
            if n < self.program.length:
                scores[:, :, n:] = 0
        np.einsum("shqk->shq", self.scores, out=self.exp_sums)
        if not are_safe(self.exp_sums):
            for i, (exp_sums, n) in enumerate(zip(self.exp_sums, tokens, strict=True)):
                if not are_safe(exp_sums):
                    self._subtract_greatest(i, n)
        np.divide(np.float32(1), self.exp_sums.transpose(0, 2, 1), out=self.inverse)

    def _subtract_greatest(self, i: int, tokens: int) -> None:
        """Compute exps and sums of the block's i-th sequence again, with each row's greatest score subtracted."""
        if i not in self._plain_scores:
            product, memories = self._score_product(range(i, i + 1), [])
            self._plain_scores[i] = self.program._bind(product, memories)
        self.program.library.check(self.program.library.execute(*self._plain_scores[i].arguments))
        scores = self.scores[i]
        scores -= scores[:, :, :tokens].max(-1, keepdims=True)
        scores[:, :, tokens:] = -np.inf
        np.exp(scores, out=scores)
        np.einsum("hqk->hq", scores, out=self.exp_sums[i])
