"""BERT's operations in NumPy, float32, on whatever BLAS NumPy was built with: the engine that runs everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuberian.model.bert import (
    Embeddings,
    FoldedModel,
    Linear,
    Model,
    Norm,
    Operations,
    W,
    embed_tokens,
    transformer,
)
from kuberian.model.engines.blas_threads import ONE_BLAS_THREAD
from kuberian.model.engines.packs import packs
from kuberian.model.native.buffers import Buffers
from kuberian.model.safetensors_file import Array

# 32 rows of 1536 floats and their temporaries stay in a core's own cache.
ACTIVATION_ROWS = 32


class NumpyEngine:
    """The weights as `bert.fold` makes them."""

    description = "NumPy's BLAS, float32"
    precision = "float32"

    def __init__(self, embeddings: Embeddings, model: FoldedModel) -> None:
        self.embeddings, self.model = embeddings, model

    batches = staticmethod(packs)

    def worker(self) -> NumpyWorker:
        """Make a worker for the calling thread."""
        return NumpyWorker(self.embeddings, self.model)


class ArrayWorker(Operations[Array, Array, W, W, Norm]):
    """BERT on arrays, with linear layers in an engine's form; every call overwrites its buffers."""

    def __init__(self, embeddings: Embeddings, model: Model[W, W, Norm]) -> None:
        self.embeddings, self.model = embeddings, model
        self.config = model.config
        self.buffers = Buffers()
        self.lengths: tuple[int, ...] = ()

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """Run BERT on sequences of token ids -> [tokens, hidden] each, valid until the next call."""
        self.lengths = tuple(map(len, sequences))
        x = self.buffers.get("x", sum(self.lengths), self.config.hidden)
        embed_tokens(self.embeddings, sequences, out=x)
        return np.split(transformer(self, self.model, x), np.cumsum(self.lengths[:-1], dtype=np.int64))

    def layer_norm(self, x: Array, norm: Norm) -> Array:
        """Normalise each row, in place: [tokens, hidden] -> [tokens, hidden]."""
        n = np.float32(x.shape[1])
        x -= x.sum(1, keepdims=True) / n
        variance = np.einsum("ij,ij->i", x, x) / n  # [tokens]
        x *= (np.float32(1) / np.sqrt(variance + np.float32(norm.epsilon)))[:, None]
        x *= norm.gamma
        x += norm.beta
        return x


class NumpyWorker(ArrayWorker[Linear]):
    """All in NumPy, on one BLAS thread."""

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """Run BERT on sequences of token ids -> [tokens, hidden] each, valid until the next call."""
        with ONE_BLAS_THREAD:
            return super().token_vectors(sequences)

    def linear(self, x: Array, weights: Linear) -> Array:
        """Compute x @ weight.T + bias: [tokens, in] -> [tokens, out]."""
        y = self.buffers.get("linear", x.shape[0], len(weights.bias))
        np.matmul(x, weights.weight.T, out=y)
        y += weights.bias
        return y

    def linear_add(self, x: Array, weights: Linear, residual: Array) -> Array:
        """Add linear(x) to the residual, in its place: [tokens, in], [tokens, out] -> [tokens, out]."""
        residual += self.linear(x, weights)
        return residual

    def linear_activation(self, x: Array, weights: Linear) -> Array:
        """Compute activation(linear(x)): [tokens, hidden] -> [tokens, intermediate]."""
        h = self.linear(x, weights)
        for start in range(0, len(h), ACTIVATION_ROWS):
            ACTIVATIONS[self.config.activation](h[start : start + ACTIVATION_ROWS])
        return h

    def attention(self, qkv: Array) -> Array:
        """Compute softmax(q kᵀ) v, one sequence at a time: [tokens, 3 * hidden] -> [tokens, hidden]."""
        context = self.buffers.get("context", len(qkv), self.config.hidden)
        start = 0
        for length in self.lengths:
            rows = slice(start, start + length)
            q, k, v = np.split(qkv[rows], 3, axis=1)
            context[rows] = attend(q, k, v, self.config.heads)
            start += length
        return context


def attend(q: Array, k: Array, v: Array, heads: int) -> Array:
    """Compute softmax(q kᵀ) v in each head: [queries, hidden], [keys, hidden], [keys, hidden] -> [queries, hidden]."""
    q, k, v = (x.reshape(len(x), heads, -1).transpose(1, 0, 2) for x in (q, k, v))  # [heads, tokens, head size]
    scores = q @ k.transpose(0, 2, 1)  # [heads, queries, keys]
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    return (scores @ v).transpose(1, 0, 2).reshape(q.shape[1], -1)


def gelu(x: Array) -> None:
    """Compute x * Φ(x), in place; Φ is the normal distribution's cumulative function."""
    x *= cdf_norm(x)


def cdf_norm(x: Array) -> Array:
    """Return the normal distribution's cumulative function, with an absolute error below 2e-7.

    Source: erf's approximation 7.1.26 in Abramowitz & Stegun, Handbook of Mathematical Functions (1964).
    """
    f = np.float32
    z = np.abs(x) * f(0.5**0.5)
    t = f(1) / (f(1) + f(0.3275911) * z)
    polynomial = t * f(1.061405429)
    for c in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial += f(c)
        polynomial *= t
    np.multiply(z, -z, out=z)
    polynomial *= np.exp(z, out=z)  # 1 - erf(z)
    polynomial *= f(0.5)
    return np.where(x < 0, polynomial, f(1) - polynomial)


def gelu_tanh(x: Array) -> None:
    """Compute GELU's approximation by tanh, in place.

    Source: Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415.
    """
    x *= np.float32(0.5) * (np.float32(1) + np.tanh(gelu_tanh_argument(x)))


def gelu_tanh_argument(x: Array) -> Array:
    """Return what tanh is taken of: sqrt(2/π) (x + 0.044715 x³)."""
    return np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x * x * x)


def relu(x: Array) -> None:
    """Compute max(x, 0), in place."""
    np.maximum(x, np.float32(0), out=x)


ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": relu}
