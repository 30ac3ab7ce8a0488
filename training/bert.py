"""The encoder in PyTorch, to train: the same function as kuberian/model/bert.py, with sequences of a batch padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

HEADS = 12
NORM_EPSILON = 1e-12


class Bert(nn.Module):
    """BERT (Devlin et al., 2018) with some of the layers of a checkpoint's tensors, then the mean of all tokens.

    Parameters have the names of the checkpoint, with "/" in the place of ".", as PyTorch allows no dots.
    """

    def __init__(self, tensors: dict[str, Tensor], layers: Sequence[int] | None = None) -> None:
        super().__init__()
        there = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))
        chosen = list(range(there)) if layers is None else list(layers)
        self.layers = len(chosen)
        kept = {name: value for name, value in tensors.items() if name.startswith("embeddings.")}
        for to, of in enumerate(chosen):
            prefix = f"encoder.layer.{of}."
            for name, value in tensors.items():
                if name.startswith(prefix):
                    kept[f"encoder.layer.{to}.{name.removeprefix(prefix)}"] = value
        self.weights = nn.ParameterDict(
            {name.replace(".", "/"): nn.Parameter(value.float().clone()) for name, value in kept.items()}
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors under the names of the checkpoint."""
        return {name.replace("/", "."): value.detach() for name, value in self.weights.items()}

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return vectors [batch, dimension] of unit length for token ids [batch, longest], padded after `lengths`."""
        hidden, mask = self.hidden(ids, lengths)
        return functional.normalize((hidden.float() * mask[..., None]).sum(1), dim=-1)

    def hidden(self, ids: Tensor, lengths: Tensor, kinds: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the last layer's states [batch, longest, dimension], and which of them are of tokens."""
        batch, longest = ids.shape
        mask = torch.arange(longest, device=ids.device)[None] < lengths[:, None]
        attended = mask[:, None, None, :].expand(batch, HEADS, longest, longest)
        kind = self._weight("embeddings.token_type_embeddings.weight")
        x = (
            functional.embedding(ids, self._weight("embeddings.word_embeddings.weight"))
            + self._weight("embeddings.position_embeddings.weight")[:longest]
            + (kind[0] if kinds is None else functional.embedding(kinds, kind))
        )
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(self.layers):
            x = self._layer(x, attended, f"encoder.layer.{layer}.")
        return x, mask

    def _layer(self, x: Tensor, attended: Tensor, layer: str) -> Tensor:
        batch, longest, dimension = x.shape
        query, key, value = (
            self._linear(x, f"{layer}attention.self.{name}").view(batch, longest, HEADS, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        mixed = mixed.transpose(1, 2).reshape(batch, longest, dimension)
        x = self._norm(x + self._linear(mixed, f"{layer}attention.output.dense"), f"{layer}attention.output.LayerNorm")
        inner = functional.gelu(self._linear(x, f"{layer}intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{layer}output.dense"), f"{layer}output.LayerNorm")

    def _weight(self, name: str) -> Tensor:
        weight: Tensor = self.weights[name.replace(".", "/")]
        return weight

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"))

    def _norm(self, x: Tensor, name: str) -> Tensor:
        to = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else torch.float32
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return functional.layer_norm(x.float(), weight.shape, weight, bias, NORM_EPSILON).to(to)


@dataclass(frozen=True)
class MicroBatch:
    """Some rows of a batch, of nearly the same length: their places in it, ids [rows, longest] and lengths."""

    places: Tensor
    ids: Tensor
    lengths: Tensor


def micro_batches(rows: Sequence[np.ndarray], tokens: int) -> Iterator[MicroBatch]:
    """Yield rows of token ids, longest first, in pieces of about so many tokens, padded to a multiple of eight."""
    lengths = np.array([len(row) for row in rows])
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(rows):
        longest = -(-int(lengths[order[start]]) // 8) * 8
        places = order[start : start + max(8, tokens // longest)]
        start += len(places)
        ids = np.zeros((len(places), longest), np.int64)
        for at, place in enumerate(places):
            ids[at, : lengths[place]] = rows[place]
        yield MicroBatch(torch.from_numpy(places), torch.from_numpy(ids), torch.from_numpy(lengths[places]))


def embed_batch(model: Bert, batches: Sequence[MicroBatch]) -> Tensor:
    """Return the vectors of all rows of some micro batches, in the order of the rows."""
    device = next(model.parameters()).device
    vectors = torch.cat([model(batch.ids.to(device), batch.lengths.to(device)) for batch in batches])
    places = torch.cat([batch.places for batch in batches])
    back = torch.empty_like(places)
    back[places] = torch.arange(len(places))
    return vectors[back.to(device)]
