"""The same checkpoint on other CPU runtimes: libtorch, ONNX Runtime, OpenVINO.

Each peer is a function from token ids (one sequence) to its unit vector. They come from the extra `[bench]` and are
built once, into the folder that `cache_folder` names.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.code_samples import python_chunks
from kuberian.model.checkpoint import BUNDLED, open_checkpoint
from kuberian.model.tokens import Tokens

Embed = Callable[[np.ndarray], np.ndarray]  # ids [batch, tokens] int64 -> vectors [batch, hidden]


def cache_folder() -> Path:
    """Where exported models are kept between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = base / "kuberian-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def token_ids(texts: list[str], max_tokens: int = 256) -> list[list[int]]:
    checkpoint = open_checkpoint()
    return Tokens(checkpoint.tokenizer_file, checkpoint.config.vocabulary, max_tokens).encode(texts)


def calibration_ids() -> list[list[int]]:
    """Real code for runtimes that quantize activations statically: 120 chunks, as Kuberian's own calibration has."""
    return token_ids(python_chunks(seed=7)[:120])


def unit_mean(states: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Mean over tokens of [batch, tokens, hidden], to length one."""
    v = states.mean(1) if mask is None else (states * mask[:, :, None]).sum(1)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def torch_model():
    import torch
    from transformers import BertModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    return BertModel.from_pretrained(BUNDLED, dtype=torch.float32, add_pooling_layer=False).eval()


def libtorch(kind: str, threads: int = 1) -> Embed:
    """`kind`: float32, bfloat16 (weights and activations), int8 (dynamic quantization of the linear layers)."""
    import warnings

    import torch

    torch.set_num_threads(threads)
    model = torch_model()
    if kind == "bfloat16":
        model = model.to(torch.bfloat16)
    elif kind == "int8":
        warnings.filterwarnings("ignore", module="torch")
        model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)

    def embed(ids: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        with torch.inference_mode():
            states = model(torch.from_numpy(ids), None if mask is None else torch.from_numpy(mask)).last_hidden_state
            return unit_mean(states.float().numpy(), mask)

    return embed


def onnx_file() -> Path:
    """Export the checkpoint to ONNX, with free batch and length."""
    path = cache_folder() / "float32.onnx"
    if not path.exists():
        import torch

        ids = torch.ones(2, 16, dtype=torch.int64)
        names = ["input_ids", "attention_mask", "token_type_ids"]
        free = {name: {0: "batch", 1: "tokens"} for name in [*names, "states"]}

        class States(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = torch_model()
                self.model.set_attn_implementation("eager")

            def forward(self, ids, mask, types):
                return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

        torch.onnx.export(
            States().eval(), (ids, ids, ids * 0), str(path), input_names=names, output_names=["states"],
            dynamic_axes=free, opset_version=17, dynamo=False,
        )  # fmt: skip
    return path


def inputs(ids: np.ndarray, mask: np.ndarray | None) -> dict[str, np.ndarray]:
    return {"input_ids": ids, "attention_mask": np.ones_like(ids) if mask is None else mask, "token_type_ids": ids * 0}


def onnxruntime(kind: str, threads: int = 1) -> Embed:
    """`kind`: float32 or int8 (dynamic quantization)."""
    import onnxruntime as ort

    path = onnx_file()
    if kind == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantized = path.with_name("int8.onnx")
        if not quantized.exists():
            logging.disable(logging.WARNING)
            quantize_dynamic(path, quantized, weight_type=QuantType.QInt8)
        path = quantized
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def embed(ids: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        return unit_mean(session.run(None, inputs(ids, mask))[0], mask)

    return embed


def openvino(kind: str, threads: int = 1, throughput: bool = False) -> Embed:
    """`kind`: float32, bfloat16, or int8 (NNCF, calibrated on real code)."""
    import openvino as ov

    core = ov.Core()
    if kind == "int8":
        path = cache_folder() / "int8.xml"
        if not path.exists():
            import nncf

            calibration = [inputs(np.array([ids]), None) for ids in calibration_ids()]
            quantized = nncf.quantize(
                ov.convert_model(onnx_file()), nncf.Dataset(calibration), model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(calibration),
            )  # fmt: skip
            ov.save_model(quantized, path, compress_to_fp16=False)
        model = core.read_model(path)
    else:
        model = ov.convert_model(onnx_file())
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if kind == "bfloat16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def embed(ids: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        return unit_mean(next(iter(request.infer(inputs(ids, mask)).values())), mask)

    return embed


PEERS: dict[str, Callable[[], Embed]] = {
    "libtorch float32": lambda: libtorch("float32"),
    "libtorch bfloat16": lambda: libtorch("bfloat16"),
    "libtorch int8 (dynamic)": lambda: libtorch("int8"),
    "ONNX Runtime float32": lambda: onnxruntime("float32"),
    "ONNX Runtime int8 (dynamic)": lambda: onnxruntime("int8"),
    "OpenVINO float32": lambda: openvino("float32"),
    "OpenVINO bfloat16": lambda: openvino("bfloat16"),
    "OpenVINO int8 (NNCF)": lambda: openvino("int8"),
}
