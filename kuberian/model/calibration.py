"""What a model's activations are like: eight-bit products must know it beforehand.

BERT runs in float32 on real texts, once per checkpoint, layer by layer. What is remembered of a layer, above all its
covariances, is dropped before the next layer runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kuberian.model.bert import Embeddings, FoldedLayer, FoldedModel, Linear, embed_tokens, transformer_layer
from kuberian.model.engines.numpy_engine import NumpyWorker
from kuberian.model.engines.packs import packs
from kuberian.model.int8.activations import Activations, LayerActivations
from kuberian.model.safetensors_file import Array

# Up to so many tokens are run together. Each run adds to the covariances: 9 MB of them, where a BERT is 1536 wide.
RUN_TOKENS = 1024


class ActivationSums:
    """Sums over tokens, of which Activations are made."""

    def __init__(self, channels: int) -> None:
        self._tokens = 0
        self._least, self._greatest = np.full(channels, np.inf, np.float32), np.full(channels, -np.inf, np.float32)
        self._sum, self._products = np.zeros(channels), np.zeros((channels, channels), np.float32)

    def add(self, x: Array) -> None:
        """Add the activations of some tokens: [tokens, channels]."""
        self._tokens += len(x)
        self._least, self._greatest = np.minimum(self._least, x.min(0)), np.maximum(self._greatest, x.max(0))
        self._sum += x.sum(0)
        self._products += x.T @ x

    def activations(self) -> Activations:
        """Return what the tokens so far are like."""
        mean = self._sum / self._tokens
        covariance = self._products / self._tokens - np.outer(mean, mean)
        return Activations(self._least, self._greatest, mean.astype(np.float32), covariance)


class Calibrator(NumpyWorker):
    """A worker in float32 that remembers what goes into the linear operations of one layer."""

    def __init__(self, embeddings: Embeddings, model: FoldedModel) -> None:
        super().__init__(embeddings, model)
        self._inputs: dict[int, ActivationSums] = {}  # by id() of the linear layer that they go into
        self._greatest_query = self._greatest_key = np.float32(0)

    def watch(self, layer: FoldedLayer) -> None:
        """Remember what goes into this layer from now on, and forget the layer before."""
        linears = (layer.qkv, layer.attention_output, layer.intermediate, layer.output)
        self._inputs = {id(linear): ActivationSums(linear.weight.shape[1]) for linear in linears}
        self._greatest_query = self._greatest_key = np.float32(0)

    def linear(self, x: Array, weights: Linear) -> Array:
        """Remember what goes in, and how large queries and keys are."""
        self._inputs[id(weights)].add(x)
        y = super().linear(x, weights)
        if len(weights.bias) == 3 * self.config.hidden:
            query, key, _ = np.split(np.abs(y), 3, axis=1)
            self._greatest_query = max(self._greatest_query, query.max())
            self._greatest_key = max(self._greatest_key, key.max())
        return y

    def activations(self) -> LayerActivations:
        """Return what went into the watched layer."""
        x, context, middle, h = (sums.activations() for sums in self._inputs.values())
        return LayerActivations(x, self._greatest_query, self._greatest_key, context, middle, h)


def calibrate(embeddings: Embeddings, model: FoldedModel, sequences: list[list[int]]) -> Iterator[LayerActivations]:
    """Yield what goes into each layer of a model, one after the other, when it runs on these token ids.

    Memory holds the sequences' token vectors and one layer's covariances.
    """
    worker = Calibrator(embeddings, model)
    batches = []  # lengths of sequences, and their tokens [tokens, hidden]
    for indices in packs(list(map(len, sequences)), RUN_TOKENS):
        pack = [sequences[i] for i in indices]
        lengths = tuple(map(len, pack))
        x = np.empty((sum(lengths), model.config.hidden), np.float32)
        embed_tokens(embeddings, pack, out=x)
        batches.append((lengths, worker.layer_norm(x, model.embedding_norm)))
    for layer in model.layers:
        worker.watch(layer)
        for i, (lengths, x) in enumerate(batches):
            worker.lengths = lengths
            batches[i] = lengths, transformer_layer(worker, layer, x)
        yield worker.activations()
