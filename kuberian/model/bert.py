"""BERT, as in the paper (Devlin et al. 2018, https://arxiv.org/abs/1810.04805), for embedding texts.

The model is five operations on arrays: linear, linear + GELU, linear + residual, attention, layer norm. An engine
(`kuberian.model.engines`) computes them, on weights in a form of its own. Sequences are packed end to end, without
padding: everything works on rows of tokens, and attention alone knows where a sequence starts.

Some algebra is done once, on the weights (`fold`), instead of for every token:
- the attention scale 1/sqrt(head size) is part of the query's weights;
- the key's bias is dropped: it adds the same to all scores of a query, which softmax ignores;
- the value's bias is added behind the attention, to the output's bias: each row of attention weights sums to one;
- token types are always 0: their embedding is added to the position embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np

from kuberian.model.checkpoint import Checkpoint, Config
from kuberian.model.safetensors_file import Array, Tensor

# An engine's form of rows of tokens (an array, or a buffer that a later run fills), and of their query, key and value.
X = TypeVar("X")
QKV = TypeVar("QKV")
# An engine's form of the weights: of the linear layer that makes query, key and value, of any other, of a norm.
WQKV = TypeVar("WQKV")
W = TypeVar("W")
N = TypeVar("N")


@dataclass(frozen=True)
class Linear:
    """x -> x @ weight.T + bias."""

    weight: Array  # [out, in]
    bias: Array  # [out]


@dataclass(frozen=True)
class Norm:
    """Layer norm: x -> (x - mean) / sqrt(variance + epsilon) * gamma + beta, over each row."""

    gamma: Array  # [hidden]
    beta: Array  # [hidden]
    epsilon: float


@dataclass(frozen=True)
class Layer(Generic[WQKV, W, N]):
    """Weights of one transformer layer, folded."""

    qkv: WQKV  # Linear [3 * hidden, hidden]: query (scaled), key, value; only the query keeps a bias
    attention_output: W  # Linear [hidden, hidden]
    attention_norm: N  # Norm
    intermediate: W  # Linear [intermediate, hidden]
    output: W  # Linear [hidden, intermediate]
    output_norm: N  # Norm


@dataclass(frozen=True)
class Model(Generic[WQKV, W, N]):
    """A BERT without its embeddings."""

    config: Config
    embedding_norm: N  # Norm
    layers: tuple[Layer[WQKV, W, N], ...]


# What `fold` makes: float32 arrays, before an engine prepares them.
FoldedLayer: TypeAlias = Layer[Linear, Linear, Norm]
FoldedModel: TypeAlias = Model[Linear, Linear, Norm]


@dataclass(frozen=True)
class Embeddings:
    """What turns token ids into rows, the same for all engines."""

    config: Config
    words: Tensor  # [vocabulary, hidden], in the mapped file
    positions: Array  # [positions, hidden], token type 0 added


class Operations(ABC, Generic[X, QKV, WQKV, W, N]):
    """What an engine does to a batch of sequences. An operation may overwrite its arguments; use what it returns."""

    @abstractmethod
    def layer_norm(self, x: X, norm: N) -> X:
        """Normalise each row: [tokens, hidden] -> [tokens, hidden]."""

    @abstractmethod
    def linear(self, x: X, weights: WQKV) -> QKV:
        """Make query, key and value of each row: [tokens, hidden] -> [tokens, 3 * hidden]."""

    @abstractmethod
    def attention(self, qkv: QKV) -> X:
        """Compute softmax(q kᵀ) v, in each head of each sequence: [tokens, 3 * hidden] -> [tokens, hidden]."""

    @abstractmethod
    def linear_activation(self, x: X, weights: W) -> X:
        """Compute activation(linear(x)), mostly GELU: [tokens, hidden] -> [tokens, intermediate]."""

    @abstractmethod
    def linear_add(self, x: X, weights: W, residual: X) -> X:
        """Compute linear(x) + residual: [tokens, any], [tokens, hidden] -> [tokens, hidden]."""


def transformer(op: Operations[X, QKV, WQKV, W, N], model: Model[WQKV, W, N], x: X) -> X:
    """Turn token embeddings into token vectors: [tokens, hidden] -> [tokens, hidden]."""
    x = op.layer_norm(x, model.embedding_norm)
    for layer in model.layers:
        x = transformer_layer(op, layer, x)
    return x


def transformer_layer(op: Operations[X, QKV, WQKV, W, N], layer: Layer[WQKV, W, N], x: X) -> X:
    """Mix the tokens, then work on each: [tokens, hidden] -> [tokens, hidden]."""
    x = op.layer_norm(self_attention(op, layer, x), layer.attention_norm)
    return op.layer_norm(feed_forward(op, layer, x), layer.output_norm)


def self_attention(op: Operations[X, QKV, WQKV, W, N], layer: Layer[WQKV, W, N], x: X) -> X:
    """Mix the tokens of each sequence, and add x: [tokens, hidden] -> [tokens, hidden]."""
    qkv = op.linear(x, layer.qkv)  # [tokens, 3 * hidden]
    context = op.attention(qkv)  # [tokens, hidden]
    return op.linear_add(context, layer.attention_output, x)


def feed_forward(op: Operations[X, QKV, WQKV, W, N], layer: Layer[WQKV, W, N], x: X) -> X:
    """Work on each token by itself, and add x: [tokens, hidden] -> [tokens, hidden]."""
    h = op.linear_activation(x, layer.intermediate)  # [tokens, intermediate]
    return op.linear_add(h, layer.output, x)


def embed_tokens(embeddings: Embeddings, sequences: Sequence[Sequence[int]], out: Array) -> None:
    """Write the sum of word, position and type embedding of packed sequences into out [tokens, hidden].

    Only those rows of the word embedding are converted that occur.
    """
    start = 0
    for ids in sequences:
        rows = out[start : start + len(ids)]
        embeddings.words.read_into(rows, np.asarray(ids))
        rows += embeddings.positions[: len(ids)]
        start += len(ids)


def pool(sequences: Sequence[Array], pooling: str) -> Array:
    """Return the unit vectors of sequences, from the mean or the first of their token vectors.

    Shapes are [tokens, hidden] each -> [sequences, hidden]; the vectors have Euclidean length 1.
    Pooling is "mean" or "cls" (the first).
    """
    # The sum serves for the mean: normalising removes the factor between them.
    v = np.stack([x[0] if pooling == "cls" else x.sum(0) for x in sequences])  # [sequences, hidden]
    return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), np.float32(1e-12))


def split_qkv(qkv: Linear) -> list[Linear]:
    """Return query, key and value of a joint linear layer."""
    weights, biases = np.split(qkv.weight, 3), np.split(qkv.bias, 3)
    return [Linear(weight, bias) for weight, bias in zip(weights, biases, strict=True)]


def open_embeddings(checkpoint: Checkpoint) -> Embeddings:
    """Read the position embeddings; leave the word embedding where it is."""
    types = checkpoint.tensors["embeddings.token_type_embeddings.weight"].float32(slice(1))
    positions = checkpoint.tensors["embeddings.position_embeddings.weight"].float32() + types
    return Embeddings(checkpoint.config, checkpoint.tensors["embeddings.word_embeddings.weight"], positions)


def fold(checkpoint: Checkpoint) -> FoldedModel:
    """Read the layers' weights as float32, and do the algebra that this module's docstring lists."""
    config = checkpoint.config
    scale = np.float32((config.hidden // config.heads) ** -0.5)

    def get(name: str) -> Array:
        return checkpoint.tensors[name].float32()

    def norm(name: str) -> Norm:
        return Norm(get(name + ".weight"), get(name + ".bias"), config.epsilon)

    def layer(prefix: str) -> FoldedLayer:
        self_ = prefix + "attention.self."
        H = config.hidden
        qkv_weight = np.empty((3 * H, H), np.float32)
        for i, name in enumerate(("query", "key", "value")):
            checkpoint.tensors[f"{self_}{name}.weight"].read_into(qkv_weight[i * H : (i + 1) * H])
        qkv_weight[:H] *= scale
        qkv_bias = np.zeros(3 * H, np.float32)
        qkv_bias[:H] = get(self_ + "query.bias") * scale
        output = get(prefix + "attention.output.dense.weight")
        output_bias = get(prefix + "attention.output.dense.bias") + output @ get(self_ + "value.bias")
        return Layer(
            qkv=Linear(qkv_weight, qkv_bias),
            attention_output=Linear(output, output_bias),
            attention_norm=norm(prefix + "attention.output.LayerNorm"),
            intermediate=Linear(get(prefix + "intermediate.dense.weight"), get(prefix + "intermediate.dense.bias")),
            output=Linear(get(prefix + "output.dense.weight"), get(prefix + "output.dense.bias")),
            output_norm=norm(prefix + "output.LayerNorm"),
        )

    return Model(
        config=config,
        embedding_norm=norm("embeddings.LayerNorm"),
        layers=tuple(layer(f"encoder.layer.{i}.") for i in range(config.layers)),
    )
