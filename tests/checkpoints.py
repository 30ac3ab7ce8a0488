"""Small real checkpoints, made on the spot: a BERT does not need trained weights to be run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from kuberian.model.checkpoint import BUNDLED, expected_shapes, read_config

SIZES = {
    "model_type": "bert",
    "hidden_size": 48,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 96,
    "vocab_size": 30522,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}


def weights(folder: Path) -> dict[str, np.ndarray]:
    """Random weights of the sizes in the folder's config.json."""
    config = read_config(folder)
    random = np.random.default_rng(1)
    shapes = expected_shapes(config) | {"embeddings.token_type_embeddings.weight": (2, config.hidden)}
    return {
        name: (random.normal(0, 0.3, shape) + name.endswith("LayerNorm.weight")).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_checkpoint(folder: Path, **changes: object) -> Path:
    """Make a folder with a small BERT and return it; keyword arguments change its config.json, None takes a key out."""
    folder.mkdir()
    config = {key: value for key, value in (SIZES | changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_bytes((BUNDLED / "tokenizer.json").read_bytes())
    save_file(weights(folder), folder / "model.safetensors")
    return folder
