"""Any BERT checkpoint folder runs; every fault in one is told in one line."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kuberian import Encoder
from kuberian.errors import CheckpointError
from kuberian.model.checkpoint import BUNDLED, open_checkpoint

MakeCheckpoint = Callable[..., Path]
TEXTS = ["def login(user): ...", "", "where is auth", "x = 1\n" * 30]


def bfloat16_file(tensors: dict[str, np.ndarray], path: Path) -> None:
    """Write float32 arrays as BF16, which NumPy's side of safetensors cannot."""
    data, header, offset = b"", {}, 0
    for name, tensor in tensors.items():
        bits = (tensor.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [offset, offset + len(bits)]}
        data, offset = data + bits, offset + len(bits)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def write_pooling(folder: Path, config: dict) -> None:
    modules = [{"type": "sentence_transformers.models.Transformer", "path": ""},
               {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))


def test_bundled_checkpoint_has_the_fingerprint_in_its_folder() -> None:
    checkpoint = open_checkpoint()
    assert checkpoint.fingerprint() == checkpoint.compute_fingerprint()
    assert Encoder().fingerprint == checkpoint.fingerprint()
    assert Encoder().name == "all-MiniLM-L6-v2"


def test_a_copy_of_the_bundled_checkpoint_gives_the_same_vectors_and_fingerprint(tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLED, tmp_path / "copy")
    (copy / "fingerprint").write_text("something stale\n")
    np.testing.assert_array_equal(Encoder(copy).encode(TEXTS), Encoder().encode(TEXTS))
    assert Encoder(copy).fingerprint == Encoder().fingerprint


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_a_checkpoint_runs_whatever_bytes_its_folders_name_has(checkpoint: Path) -> None:
    before, fingerprint = Encoder(checkpoint).encode(TEXTS), Encoder(checkpoint).fingerprint
    moved = checkpoint.rename(checkpoint.parent / os.fsdecode(b"mod\xe8le"))
    np.testing.assert_array_equal(Encoder(moved).encode(TEXTS), before)
    assert Encoder(moved).fingerprint == fingerprint


def test_another_bert_runs_with_its_own_sizes(checkpoint: Path) -> None:
    encoder = Encoder(checkpoint)
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("small-bert", 48, 40)
    vectors = encoder.encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors, Encoder(checkpoint, engine="numpy").encode(TEXTS), atol=1e-5)


def test_other_weights_have_another_fingerprint(checkpoint: Path) -> None:
    before = Encoder(checkpoint).fingerprint
    tensors = load_file(checkpoint / "model.safetensors")
    tensors["encoder.layer.0.output.dense.bias"][3] += 1
    save_file(tensors, checkpoint / "model.safetensors")
    assert Encoder(checkpoint).fingerprint != before


def test_names_with_the_bert_prefix_are_the_same_model(checkpoint: Path) -> None:
    before = Encoder(checkpoint).encode(TEXTS)
    tensors = load_file(checkpoint / "model.safetensors")
    save_file({"bert." + name: t for name, t in tensors.items()}, checkpoint / "model.safetensors")
    np.testing.assert_array_equal(Encoder(checkpoint).encode(TEXTS), before)


def test_half_precision_weights_are_read(checkpoint: Path) -> None:
    before = Encoder(checkpoint).encode(TEXTS)
    tensors = load_file(checkpoint / "model.safetensors")
    save_file({name: t.astype(np.float16) for name, t in tensors.items()}, checkpoint / "model.safetensors")
    assert (Encoder(checkpoint).encode(TEXTS) * before).sum(1).min() > 0.9999
    bfloat16_file(tensors, checkpoint / "model.safetensors")
    assert (Encoder(checkpoint).encode(TEXTS) * before).sum(1).min() > 0.99


@pytest.mark.parametrize("config", [{"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
                                    {"pooling_mode": "cls"}])  # fmt: skip
def test_cls_pooling_takes_the_first_token(checkpoint: Path, config: dict) -> None:
    mean = Encoder(checkpoint)
    write_pooling(checkpoint, config)
    cls = Encoder(checkpoint)
    assert np.abs(cls.encode(TEXTS) - mean.encode(TEXTS)).max() > 0.01
    assert cls.fingerprint != mean.fingerprint

    np.testing.assert_allclose(cls.encode(TEXTS), Encoder(checkpoint, engine="numpy").encode(TEXTS), atol=1e-5)


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh", "relu"])
def test_other_activations_agree_between_engines(make_checkpoint: MakeCheckpoint, activation: str) -> None:
    folder, gelu = make_checkpoint(activation, hidden_act=activation), make_checkpoint("gelu")
    vectors = Encoder(folder).encode(TEXTS)
    np.testing.assert_allclose(vectors, Encoder(folder, engine="numpy").encode(TEXTS), atol=1e-5)
    assert np.abs(vectors - Encoder(gelu).encode(TEXTS)).max() > 1e-5


def one_line(error: pytest.ExceptionInfo[CheckpointError]) -> str:
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    with pytest.raises(CheckpointError) as error:
        Encoder(checkpoint)
    assert name in one_line(error)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        Encoder(tmp_path / "nowhere")
    assert "nowhere" in one_line(error)


@pytest.mark.parametrize("changes", [
    {"model_type": "roberta"}, {"model_type": None}, {"hidden_size": "big"}, {"hidden_size": None}, {"hidden_size": 64},
    {"num_attention_heads": 5}, {"num_hidden_layers": 3}, {"intermediate_size": 0}, {"vocab_size": 100},
    {"hidden_act": "mish"},
    {"position_embedding_type": "relative_key"}, {"layer_norm_eps": "tiny"}, {"max_position_embeddings": 512},
])  # fmt: skip
def test_a_config_that_does_not_fit_is_one_line(checkpoint: Path, changes: dict) -> None:
    config = json.loads((checkpoint / "config.json").read_text()) | changes
    (checkpoint / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(CheckpointError) as error:
        Encoder(checkpoint)
    one_line(error)


def test_a_vocabulary_smaller_than_the_tokenizer_is_refused(make_checkpoint: MakeCheckpoint) -> None:
    with pytest.raises(CheckpointError) as error:
        Encoder(make_checkpoint(vocab_size=30000))
    assert "30522" in one_line(error)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "modules.json", "sentence_bert_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"42", b"[" * 100_000])
def test_damaged_json_is_one_line(checkpoint: Path, name: str, content: bytes) -> None:
    (checkpoint / name).write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        Encoder(checkpoint)
    assert name in one_line(error)


@pytest.mark.parametrize("damage", [
    lambda data: b"",
    lambda data: data[:4],
    lambda data: data[:1000],
    lambda data: data[: len(data) // 2],
    lambda data: (2**63).to_bytes(8, "little") + data[8:],
    lambda data: data[:8] + b"[]" + data[10:],
    lambda data: data.replace(b'"F32"', b'"F16"'),
    lambda data: data.replace(b'"shape":[48', b'"shape":[-8'),
    lambda data: b"<html>404: not found</html>",
])  # fmt: skip
def test_damaged_safetensors_are_one_line(checkpoint: Path, damage: Callable[[bytes], bytes]) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError) as error:
        Encoder(checkpoint)
    one_line(error)


def test_a_missing_tensor_is_named(checkpoint: Path) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, checkpoint / "model.safetensors")
    with pytest.raises(CheckpointError) as error:
        Encoder(checkpoint)
    assert "encoder.layer.1.output.dense.weight" in one_line(error)


def test_pooling_that_is_not_supported_is_refused(checkpoint: Path) -> None:
    write_pooling(checkpoint, {"pooling_mode": "max"})
    with pytest.raises(CheckpointError) as error:
        Encoder(checkpoint)
    assert "max" in one_line(error)


def test_a_module_that_is_not_supported_is_refused(checkpoint: Path) -> None:
    (checkpoint / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]')
    with pytest.raises(CheckpointError) as error:
        Encoder(checkpoint)
    assert "Dense" in one_line(error)
