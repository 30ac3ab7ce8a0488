"""A checkpoint: a folder with config.json, tokenizer.json and model.safetensors, as on the Hugging Face hub.

The sentence-transformers files beside them, if there are any, say how token vectors become one embedding:
modules.json, 1_Pooling/config.json, sentence_bert_config.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuberian.errors import CheckpointError
from kuberian.model.bundled import BUNDLED, bundled_fingerprint
from kuberian.model.safetensors_file import Tensor, open_tensors
from kuberian.settings import expanded

# This file is the checkpoint's eight-bit form (kuberian.model.int8.quantized_file); without it, float32 runs.
QUANTIZED = "int8.safetensors"

# Several names of transformers' "hidden_act" mean one activation here.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


@dataclass(frozen=True)
class Config:
    """The sizes of a BERT, and how sentence-transformers says to use it."""

    hidden: int
    heads: int
    layers: int
    intermediate: int
    vocabulary: int
    positions: int
    epsilon: float
    activation: str  # a value of ACTIVATIONS
    pooling: str  # "mean" or "cls"
    max_tokens: int  # of a text, special tokens included; a longer text is cut


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint folder: its tensors are views of the mapped file."""

    folder: Path
    name: str
    config: Config
    tensors: dict[str, Tensor]  # names without the "bert." prefix

    @property
    def tokenizer_file(self) -> Path:
        """The path of tokenizer.json."""
        return self.folder / "tokenizer.json"

    def fingerprint(self) -> str:
        """Return a hex digest of all that decides a text's vector: weights, tokenizer, sizes, pooling, length limit.

        Precision is not part of it: vectors of one checkpoint in float32, bfloat16 and int8 lie in the same
        space within rounding, and may be compared with each other. The files are read and hashed, except those
        of the bundled checkpoint: its digest is kept in its folder.
        """
        return bundled_fingerprint() if self.folder == BUNDLED else self.compute_fingerprint()

    def compute_fingerprint(self) -> str:
        """Compute what fingerprint() returns, always from the files."""
        import hashlib

        digest = hashlib.sha256(repr(self.config).encode())
        for name in ("tokenizer.json", "model.safetensors"):
            with (self.folder / name).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


def open_checkpoint(folder: Path | str | None = None) -> Checkpoint:
    """Open a checkpoint folder (None: the bundled one) without reading the weights.

    Raises CheckpointError, in one line, if a file is missing or damaged, or if the model is no BERT.
    """
    folder = BUNDLED if folder is None else expanded(folder).absolute()
    try:
        is_there = folder.is_dir()
    except OSError:  # a name that no folder can have
        is_there = False
    if not is_there:
        raise CheckpointError(f"no checkpoint folder at {folder}")
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} lacks {name}; a checkpoint has config.json, tokenizer.json, model.safetensors"
            )
    config = read_config(folder)
    tensors = {name.removeprefix("bert."): t for name, t in open_tensors(folder / "model.safetensors").items()}
    _check_shapes(folder, config, tensors)
    return Checkpoint(folder, folder.name, config, tensors)


def read_config(folder: Path) -> Config:
    """Read config.json and the sentence-transformers files; raises CheckpointError if Kuberian cannot run them."""
    path = folder / "config.json"
    config = _read_json(path, dict)
    if config.get("model_type") != "bert":
        raise CheckpointError(
            f"{path} describes a model of type {config.get('model_type')!r}; Kuberian runs 'bert' only"
        )
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise CheckpointError(f"{path}: only absolute position embeddings are supported")
    if config.get("hidden_act", "gelu") not in ACTIVATIONS:
        raise CheckpointError(f"{path}: hidden_act must be one of {', '.join(ACTIVATIONS)}")

    def size(key: str) -> int:
        value = config.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise CheckpointError(f"{path}: {key} must be a positive whole number")
        return value

    epsilon = config.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, (int, float)) or not 0 <= epsilon < 1:
        raise CheckpointError(f"{path}: layer_norm_eps must be a small positive number")
    positions = size("max_position_embeddings")
    result = Config(
        hidden=size("hidden_size"),
        heads=size("num_attention_heads"),
        layers=size("num_hidden_layers"),
        intermediate=size("intermediate_size"),
        vocabulary=size("vocab_size"),
        positions=positions,
        epsilon=float(epsilon),
        activation=ACTIVATIONS[config.get("hidden_act", "gelu")],
        pooling=_pooling(folder),
        max_tokens=min(positions, _max_seq_length(folder) or positions),
    )
    if result.hidden % result.heads:
        raise CheckpointError(f"{path}: hidden_size must be a multiple of num_attention_heads")
    return result


def _pooling(folder: Path) -> str:
    """Read how the token vectors of a text become one: "mean" where nothing says otherwise, or "cls"."""
    modules_file = folder / "modules.json"
    pooling_folder = "1_Pooling"
    if modules_file.is_file():
        for module in _read_json(modules_file, list):
            kind = str(module.get("type", "")).rsplit(".", 1)[-1] if isinstance(module, dict) else ""
            if kind == "Pooling":
                pooling_folder = str(module.get("path", pooling_folder))
            elif kind not in ("Transformer", "Normalize"):
                raise CheckpointError(
                    f"{modules_file} asks for a {kind or 'nameless'} module, which Kuberian does not have"
                )
    pooling_file = folder / pooling_folder / "config.json"
    if not pooling_file.is_file():
        return "mean"
    config = _read_json(pooling_file, dict)
    old_names = {key.removeprefix("pooling_mode_").removesuffix("_token").removesuffix("_tokens"): on
                 for key, on in config.items() if key.startswith("pooling_mode_")}  # fmt: skip
    modes = [config["pooling_mode"]] if "pooling_mode" in config else [mode for mode, on in old_names.items() if on]
    if modes not in (["mean"], ["cls"]):
        raise CheckpointError(f"{pooling_file}: pooling must be 'mean' or 'cls', and is {modes}")
    return str(modes[0])


def _max_seq_length(folder: Path) -> int | None:
    path = folder / "sentence_bert_config.json"
    if not path.is_file():
        return None
    length = _read_json(path, dict).get("max_seq_length")
    if length is not None and (not isinstance(length, int) or length < 2):
        raise CheckpointError(f"{path}: max_seq_length must be a whole number of at least 2")
    return length


def _read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged or unreadable: {error}") from error
    if not isinstance(value, kind):
        raise CheckpointError(f"{path} must hold a JSON {'object' if kind is dict else 'list'}")
    return value


def expected_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a BERT of these sizes, without pooler and language model head."""
    H, FF = config.hidden, config.intermediate
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config.vocabulary, H),
        "embeddings.position_embeddings.weight": (config.positions, H),
        "embeddings.LayerNorm.weight": (H,),
        "embeddings.LayerNorm.bias": (H,),
    }
    for i in range(config.layers):
        layer = f"encoder.layer.{i}."
        linears = {
            "attention.self.query": (H, H),
            "attention.self.key": (H, H),
            "attention.self.value": (H, H),
            "attention.output.dense": (H, H),
            "intermediate.dense": (FF, H),
            "output.dense": (H, FF),
        }
        for name, shape in linears.items():
            shapes[layer + name + ".weight"] = shape
            shapes[layer + name + ".bias"] = shape[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[layer + name + ".weight"] = shapes[layer + name + ".bias"] = (H,)
    return shapes


def _check_shapes(folder: Path, config: Config, tensors: dict[str, Tensor]) -> None:
    for name, shape in expected_shapes(config).items():
        if name not in tensors or tensors[name].raw.dtype == np.int8:
            raise CheckpointError(f"{folder} is no BERT checkpoint: model.safetensors has no float tensor {name}")
        if tensors[name].shape != shape:
            raise CheckpointError(f"{folder}: {name} has shape {tensors[name].shape}, config.json asks for {shape}")
    types = tensors.get("embeddings.token_type_embeddings.weight")
    if types is None or len(types.shape) != 2 or types.shape[0] < 1 or types.shape[1] != config.hidden:
        raise CheckpointError(f"{folder} is no BERT checkpoint: token_type_embeddings are missing or of a wrong shape")
