"""BERT's operations on Intel MKL, float32: packed products, batched attention, vector exp and Φ."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kuberian.model.bert import Embeddings, FoldedLayer, FoldedModel, Layer, Linear, Model, Norm
from kuberian.model.engines.numpy_engine import ArrayWorker, gelu_tanh_argument, relu
from kuberian.model.engines.packs import packs
from kuberian.model.native.buffers import aligned
from kuberian.model.native.mkl import BatchedProducts, Mkl
from kuberian.model.safetensors_file import Array

# Floats of attention scores that are worked on at a time (1 MB): they stay in the second-level cache between
# the two products and the exp. benchmarks/encoder.py shows the effect.
MAX_SCORES = 1 << 18
# Rows of the feed-forward's 1536 floats that go through GELU at a time: 32 rows and their Φ are 400 kB.
ACTIVATION_ROWS = 32
# From this many rows on, packed weights are used. Most questions have fewer rows, chunks of code have more.
PACKED_ROWS = 16
# exp overflows float32 at 88.7; a sum over 512 keys of scores below this is safe by far.
SAFE_SCORE = 60.0


class MklLinear:
    """A linear layer for MKL: few rows take the weights as they are, many rows take them packed, in MKL's own layout.

    Packed weights are 5 to 50 % faster. But packing takes longer than all else that one question needs: it waits for
    the first batch of PACKED_ROWS. The number of rows alone decides which form is used, so that every run rounds alike.
    """

    def __init__(self, mkl: Mkl, linear: Linear) -> None:
        self.outputs, self.inputs = linear.weight.shape
        self.bias = linear.bias
        self._mkl, self._weight = mkl, np.ascontiguousarray(linear.weight)
        self._packed: NDArray | None = None
        self._packing = threading.Lock()

    def product(self, x: Array, beta: float, out: Array) -> None:
        """Compute out = x @ weight.T + beta * out: [rows, in] -> [rows, out]."""
        rows, n, k = len(x), self.outputs, self.inputs
        a, b, c = x.ctypes.data, self._weight.ctypes.data, out.ctypes.data
        if rows < PACKED_ROWS:
            self._mkl.sgemm(rows, n, k, a, k, b, k, beta, c, n)
            return
        with self._packing:
            if self._packed is None:
                packed = aligned((self._mkl.pack_size(n, k),), np.uint8)
                self._mkl.pack(n, k, b, packed.ctypes.data)
                self._packed = packed
        self._mkl.sgemm_packed(rows, n, k, a, k, self._packed.ctypes.data, beta, c, n)


class MklEngine:
    """The layers' weights, ready for MKL."""

    precision = "float32"

    def __init__(self, embeddings: Embeddings, model: FoldedModel, mkl: Mkl) -> None:
        mkl.single_threaded()
        self.embeddings, self.mkl = embeddings, mkl
        self.description = f"MKL {mkl.version}, float32"
        self.model = Model(model.config, model.embedding_norm, tuple(map(self._prepare, model.layers)))

    def _prepare(self, layer: FoldedLayer) -> Layer[MklLinear, MklLinear, Norm]:
        return Layer(
            qkv=MklLinear(self.mkl, layer.qkv),
            attention_output=MklLinear(self.mkl, layer.attention_output),
            attention_norm=layer.attention_norm,
            intermediate=MklLinear(self.mkl, layer.intermediate),
            output=MklLinear(self.mkl, layer.output),
            output_norm=layer.output_norm,
        )

    batches = staticmethod(packs)

    def worker(self) -> MklWorker:
        """Make a worker for the calling thread."""
        return MklWorker(self.embeddings, self.model, self.mkl)


class MklWorker(ArrayWorker[MklLinear]):
    """NumPy where memory is the limit, MKL where arithmetic is."""

    def __init__(self, embeddings: Embeddings, model: Model[MklLinear, MklLinear, Norm], mkl: Mkl) -> None:
        super().__init__(embeddings, model)
        self.mkl = mkl
        self._plan_key: tuple = ()
        self._plan: list[Tile] = []

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """Run BERT on sequences of token ids -> [tokens, hidden] each, valid until the next call."""
        self.mkl.single_threaded()  # a worker may run in another thread than the one that made it
        return super().token_vectors(sequences)

    def linear(self, x: Array, weights: MklLinear) -> Array:
        """Make query, key and value: [tokens, hidden] -> [tokens, 3 * hidden]; only the query has a bias."""
        y = self._product(x, weights)
        hidden = self.config.hidden
        y[:, :hidden] += weights.bias[:hidden]
        return y

    def _product(self, x: Array, weights: MklLinear) -> Array:
        y = self.buffers.get("linear", len(x), weights.outputs)
        weights.product(x, 0.0, y)
        return y

    def linear_add(self, x: Array, weights: MklLinear, residual: Array) -> Array:
        """Add linear(x) to the residual, within the product: [tokens, in], [tokens, out] -> [tokens, out]."""
        residual += weights.bias
        weights.product(x, 1.0, residual)
        return residual

    def linear_activation(self, x: Array, weights: MklLinear) -> Array:
        """Compute activation(linear(x)): [tokens, hidden] -> [tokens, intermediate]."""
        h = self._product(x, weights)
        scratch = self.buffers.get("activation", ACTIVATION_ROWS, weights.outputs)
        for start in range(0, len(h), ACTIVATION_ROWS):
            rows = h[start : start + ACTIVATION_ROWS]
            rows += weights.bias
            self._activate(rows, scratch[: len(rows)])
        return h

    def _activate(self, x: Array, scratch: Array) -> None:
        """Compute x = activation(x); x and scratch are contiguous, of one shape."""
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
        """Compute softmax(q kᵀ) v, tile by tile: [tokens, 3 * hidden] -> [tokens, hidden]."""
        context = self.buffers.get("context", len(qkv), self.config.hidden)
        scores = self.buffers.get("scores", self._largest_tile())
        key = (self.lengths, qkv.ctypes.data, context.ctypes.data, scores.ctypes.data)
        if key != self._plan_key:
            self._plan_key, self._plan = key, self._make_plan(qkv, context, scores)
        must_shift = self._have_large_scores(qkv)
        for tile in self._plan:
            tile.score_products.run()
            for sequence, rows, _ in tile.parts:
                if must_shift[sequence]:
                    rows -= rows.max(-1, keepdims=True)
            self.mkl.exp(tile.size, scores.ctypes.data)
            tile.context_products.run()
            for _, rows, out in tile.parts:
                out /= rows.sum(-1)[..., None]  # softmax's denominator, after the product: fewer divisions
        return context

    def _have_large_scores(self, qkv: Array) -> list[bool]:
        """Tell of each sequence whether exp of its scores could overflow: then the greatest is subtracted first.

        |q · k| <= |q| |k|: the norms of tokens x heads vectors cost less than the maxima of tokens x tokens x heads.
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
        return min(max(MAX_SCORES, longest * longest), total)

    def _make_plan(self, qkv: Array, context: Array, scores: Array) -> list[Tile]:
        """Share out (sequence, heads) over tiles of at most MAX_SCORES scores, or of one head if it has more."""
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
            tile.score_products.finish()
            tile.context_products.finish()
        return plan


class Tile:
    """Scores that are computed, exponentiated and used while they are in the cache."""

    def __init__(self, mkl: Mkl) -> None:
        self.size = 0
        self.score_products = BatchedProducts(mkl, transpose_b=True)
        self.context_products = BatchedProducts(mkl, transpose_b=False)
        self.parts: list[tuple[int, Array, Array]] = []  # sequence, scores [heads, n, n], context [heads, n, head size]

    def add(
        self, qkv: Array, context: Array, scores: Array, n_heads: int, sequence: int, start: int, n: int, heads: range
    ) -> None:
        """Add some heads of a sequence: the one of n tokens that starts at row `start`."""
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
        self.score_products.add_group((n, n, size), (3 * hidden, 3 * hidden, n), list(zip(q, k, s, strict=True)))
        self.context_products.add_group((n, size, n), (n, 3 * hidden, hidden), list(zip(s, v, c, strict=True)))
        self.parts.append((sequence, part, out))
        self.size += part.size
