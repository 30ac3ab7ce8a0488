"""A checkpoint's eight-bit form in a safetensors file: loading it takes a tenth of the time that rounding takes.

The bundled checkpoint has one in its folder; `Encoder.calibrate` makes one for any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kuberian.errors import CheckpointError
from kuberian.model.checkpoint import Checkpoint
from kuberian.model.int8.quantization import GELU_ZERO, ByteLayer, ByteLinear, ByteModel, ByteNorm
from kuberian.model.safetensors_file import open_file

_NORMS = ("attention_norm", "output_norm")
_VECTORS = ("score_scale", "after_activation")


def save(model: ByteModel, fingerprint: str, path: Path) -> None:
    """Write the model, all or nothing; `fingerprint` is that of the model's checkpoint."""
    from safetensors.numpy import save as to_bytes

    tensors = _flat("embedding_norm.", model.embedding_norm)
    for i, layer in enumerate(model.layers):
        tensors |= _flat(f"layers.{i}.", layer)
    temporary = path.with_name(path.name + ".new")
    # safetensors' own `save_file` makes files that only their owner can read.
    temporary.write_bytes(to_bytes(tensors, {"fingerprint": fingerprint, "gelu_zero": str(GELU_ZERO)}))
    temporary.replace(path)


def _flat(prefix: str, value: Any) -> dict[str, np.ndarray]:
    tensors = {}
    for name, field in vars(value).items():
        if isinstance(field, np.ndarray):
            tensors[prefix + name] = np.ascontiguousarray(field)
        else:
            tensors |= _flat(f"{prefix}{name}.", field)
    return tensors


def load(path: Path, checkpoint: Checkpoint) -> ByteModel:
    """Map a file that `save` wrote.

    Raises CheckpointError if the file is damaged, or was made of another checkpoint or by another version of Kuberian.
    """
    tensors, metadata = open_file(path)
    if metadata != {"fingerprint": checkpoint.fingerprint(), "gelu_zero": str(GELU_ZERO)}:
        raise CheckpointError(
            f"{path} was not made of {checkpoint.folder} by this version of Kuberian; calibrate again"
        )

    def get(name: str) -> Any:
        return tensors[name].raw

    def norm(prefix: str) -> ByteNorm:
        return ByteNorm(*(get(prefix + name) for name in ByteNorm.__dataclass_fields__))

    def linear(prefix: str) -> ByteLinear:
        return ByteLinear(*(get(prefix + name) for name in ByteLinear.__dataclass_fields__))

    def layer(prefix: str) -> ByteLayer:
        fields: dict[str, Any] = {}
        for name in ByteLayer.__dataclass_fields__:
            read = get if name in _VECTORS else norm if name in _NORMS else linear
            fields[name] = read(prefix + name + ("" if name in _VECTORS else "."))
        return ByteLayer(**fields)

    try:
        layers = tuple(layer(f"layers.{i}.") for i in range(checkpoint.config.layers))
        return ByteModel(norm("embedding_norm."), layers)
    except KeyError as error:
        raise CheckpointError(f"{path} is damaged: it lacks {error}; calibrate again") from error
