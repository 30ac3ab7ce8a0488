"""BERT's operations on Intel MKL, float32: packed products, batched attention, vector exp and Φ."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import Embeddings, Linear, Model
from kuberian.model.engines.buffers import aligned
from kuberian.model.engines.numpy_engine import SAFE_SCORE, NumpyWorker, gelu_tanh_argument, relu
from kuberian.model.engines.packs import packs
from kuberian.model.native.mkl import BatchedProducts, Mkl
from kuberian.model.safetensors_file import Array

# Floats of attention scores that are worked on at a time (1 MB): they stay in the second-level cache between
# the two products and the exp. benchmarks/encoder.py shows the effect.
SCORES = 1 << 18
# Rows of the feed-forward's 1536 floats between product and GELU: 32 rows and their Φ are 400 kB.
ACTIVATION_ROWS = 32
# Rows from which on packed weights are used; most questions have fewer, chunks of code more.
PACKED_ROWS = 16


class MklLinear:
    """A linear layer for MKL: as it is for few rows, in MKL's own layout of the weights for many.

    Packed weights are 5 to 50 % faster. But packing takes longer than all else that one question needs, so it waits for
    the first batch of PACKED_ROWS; and which of the two runs depends on the rows alone, so that every run rounds alike.
    """

    def __init__(self, mkl: Mkl, linear: Linear) -> None:
        self.out, self.into = linear.weight.shape
        self.bias = linear.bias
        self._mkl, self._weight = mkl, np.ascontiguousarray(linear.weight)
        self._packed: NDArray | None = None
        self._packing = threading.Lock()

    def product(self, x: Array, beta: float, out: Array) -> None:
        """out = x @ weight.T + beta * out."""
        rows, a, c = len(x), x.ctypes.data, out.ctypes.data
        if rows < PACKED_ROWS:
            self._mkl.sgemm(
                rows, self.out, self.into, a, self.into, self._weight.ctypes.data, self.into, beta, c, self.out
            )
            return
        with self._packing:
            if self._packed is None:
                packed = aligned((self._mkl.pack_size(self.out, self.into),), np.uint8)
                self._mkl.pack(self.out, self.into, self._weight.ctypes.data, packed.ctypes.data)
                self._packed = packed
        self._mkl.sgemm_packed(rows, self.out, self.into, a, self.into, self._packed.ctypes.data, beta, c, self.out)


class MklEngine:
    """The layers' weights, ready for MKL."""

    precision = "float32"

    def __init__(self, embeddings: Embeddings, model: Model, mkl: Mkl) -> None:
        mkl.single_threaded()
        self.embeddings, self.mkl = embeddings, mkl
        self.description = f"MKL {mkl.version}, float32"
        self.model = replace(
            model,
            layers=tuple(
                replace(
                    layer,
                    qkv=MklLinear(mkl, layer.qkv),
                    attention_output=MklLinear(mkl, layer.attention_output),
                    intermediate=MklLinear(mkl, layer.intermediate),
                    output=MklLinear(mkl, layer.output),
                )
                for layer in model.layers
            ),
        )

    batches = staticmethod(packs)

    def worker(self) -> MklWorker:
        """Make a worker for the calling thread."""
        return MklWorker(self.embeddings, self.model, self.mkl)


class MklWorker(NumpyWorker):
    """NumPy where memory is the limit, MKL where arithmetic is."""

    def __init__(self, embeddings: Embeddings, model: Model, mkl: Mkl) -> None:
        super().__init__(embeddings, model)
        self.mkl = mkl
        self._plan_key: tuple = ()
        self._plan: list[Tile] = []

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """Run BERT on sequences of token ids -> [tokens, hidden] each, valid until the next call."""
        self.mkl.single_threaded()  # a worker may come to another thread than the one it was made in
        return self._token_vectors(sequences)

    def linear(self, x: Array, weights: MklLinear) -> Array:  # type: ignore[override]
        """[tokens, hidden] -> [tokens, 3 * hidden]; only the query has a bias."""
        y = self._product(x, weights)
        hidden = self.config.hidden
        y[:, :hidden] += weights.bias[:hidden]
        return y

    def _product(self, x: Array, weights: MklLinear) -> Array:
        y = self.buffers.get("linear", len(x), weights.out)
        weights.product(x, 0.0, y)
        return y

    def linear_add(self, x: Array, weights: MklLinear, residual: Array) -> Array:  # type: ignore[override]
        """[tokens, in], [tokens, out] -> [tokens, out], added up in the residual's place by the product itself."""
        residual += weights.bias
        weights.product(x, 1.0, residual)
        return residual

    def linear_activation(self, x: Array, weights: MklLinear) -> Array:  # type: ignore[override]
        """[tokens, hidden] -> [tokens, intermediate]."""
        h = self._product(x, weights)
        scratch = self.buffers.get("activation", ACTIVATION_ROWS, weights.out)
        for start in range(0, len(h), ACTIVATION_ROWS):
            rows = h[start : start + ACTIVATION_ROWS]
            rows += weights.bias
            self._activate(rows, scratch[: len(rows)])
        return h

    def _activate(self, x: Array, scratch: Array) -> None:
        """x = activation(x), contiguous."""
        if self.config.activation == "gelu":
            self.mkl.cdf_norm(x.size, x.ctypes.data, scratch.ctypes.data)
            x *= scratch
        elif self.config.activation == "gelu_tanh":
            scratch[...] = gelu_tanh_argument(x)
            self.mkl.tanh(x.size, scratch.ctypes.data, scratch.ctypes.data)
            scratch += np.float32(1)
            scratch *= np.float32(0.5)
            x *= scratch
        else:
            relu(x)

    def attention(self, qkv: Array) -> Array:
        """[tokens, 3 * hidden] -> [tokens, hidden], tile by tile."""
        context = self.buffers.get("context", len(qkv), self.config.hidden)
        scores = self.buffers.get("scores", self._largest_tile())
        key = (self.lengths, qkv.ctypes.data, context.ctypes.data, scores.ctypes.data)
        if key != self._plan_key:
            self._plan_key, self._plan = key, self._make_plan(qkv, context, scores)
        must_shift = self._large_scores(qkv)
        for tile in self._plan:
            tile.scores.run()
            for sequence, rows, _ in tile.parts:
                if must_shift[sequence]:
                    rows -= rows.max(-1, keepdims=True)
            self.mkl.exp(tile.size, scores.ctypes.data)
            tile.context.run()
            for _, rows, out in tile.parts:
                out /= rows.sum(-1)[..., None]  # softmax's denominator, after the product: fewer divisions
        return context

    def _large_scores(self, qkv: Array) -> list[bool]:
        """Whether a sequence has scores whose exp could overflow unless the greatest is subtracted first.

        |q · k| <= |q| |k|: norms of tokens x heads numbers are cheaper than maxima of tokens x tokens x heads.
        """
        heads = qkv.reshape(len(qkv), 3, self.config.heads, -1)[:, :2]  # q and k: [tokens, 2, heads, head size]
        squares = np.einsum("abcd,abcd->abc", heads, heads)  # [tokens, 2, heads]
        starts = np.cumsum((0, *self.lengths[:-1]))
        greatest = np.maximum.reduceat(squares, starts, axis=0)  # [sequences, 2, heads]
        bounds = greatest[:, 0] * greatest[:, 1]  # [sequences, heads]
        # `not <=` rather than `>`: NaN must take the safe way too.
        return [not bound <= SAFE_SCORE**2 for bound in bounds.max(1)]

    def _largest_tile(self) -> int:
        longest, total = max(self.lengths), sum(n * n for n in self.lengths) * self.config.heads
        return min(max(SCORES, longest * longest), total)

    def _make_plan(self, qkv: Array, context: Array, scores: Array) -> list[Tile]:
        """Share out (sequence, heads) over tiles of at most SCORES scores, or one head's."""
        plan, tile = [], None
        capacity, heads, start = scores.size, self.config.heads, 0
        for sequence, length in enumerate(self.lengths):
            head = 0
            while head < heads:
                if tile is None or capacity - tile.size < length * length:
                    tile = Tile(self.mkl)
                    plan.append(tile)
                count = min(heads - head, (capacity - tile.size) // (length * length))
                tile.add(qkv, context, scores, self.config.heads, sequence, start, length, range(head, head + count))
                head += count
            start += length
        for tile in plan:
            tile.scores.finish()
            tile.context.finish()
        return plan


class Tile:
    """Scores that are computed, exponentiated and used while they are in the cache."""

    def __init__(self, mkl: Mkl) -> None:
        self.size = 0
        self.scores, self.context = BatchedProducts(mkl, transpose_b=True), BatchedProducts(mkl, transpose_b=False)
        self.parts: list[tuple[int, Array, Array]] = []  # sequence, scores [heads, n, n], context [heads, n, head size]

    def add(
        self, qkv: Array, context: Array, scores: Array, n_heads: int, sequence: int, start: int, n: int, heads: range
    ) -> None:
        """Take on some heads of the sequence of n tokens that starts at row `start`."""
        hidden = context.shape[1]
        size = hidden // n_heads
        part = scores[self.size : self.size + len(heads) * n * n].reshape(len(heads), n, n)
        out = context[start : start + n].reshape(n, n_heads, size)[:, heads.start : heads.stop].transpose(1, 0, 2)
        first, float_bytes = qkv.ctypes.data + start * 3 * hidden * 4, 4
        q = [first + h * size * float_bytes for h in heads]
        k = [address + hidden * float_bytes for address in q]
        v = [address + 2 * hidden * float_bytes for address in q]
        s = [part.ctypes.data + i * n * n * float_bytes for i in range(len(heads))]
        c = [context.ctypes.data + (start * hidden + h * size) * float_bytes for h in heads]
        self.scores.add_group((n, n, size), (3 * hidden, 3 * hidden, n), list(zip(q, k, s, strict=True)))
        self.context.add_group((n, size, n), (n, 3 * hidden, hidden), list(zip(s, v, c, strict=True)))
        self.parts.append((sequence, part, out))
        self.size += part.size
