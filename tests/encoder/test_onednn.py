"""oneDNN's engine: the same vectors, faster; what it needs is checked, and what it lacks is named."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kuberian import Encoder
from kuberian.errors import CheckpointError, EngineError, UsageError
from kuberian.model.checkpoint import open_checkpoint
from kuberian.model.engines.choose import choose, make_engine
from kuberian.model.native import onednn

from .test_mkl import compile_library
from .test_vectors import REFERENCE, assert_same
from .texts import CODE, TEXTS

try:
    LIBRARY = onednn.load()
except EngineError as error:
    pytest.skip(str(error), allow_module_level=True)

# Precisions that this CPU runs as they are meant.
PRECISIONS = ["float32"]
if LIBRARY.has(onednn.ISA_AVX512_BF16):
    PRECISIONS.append("bfloat16")
if LIBRARY.has(onednn.ISA_AVX512_VNNI):
    PRECISIONS.append("int8")


@pytest.fixture(scope="module", params=PRECISIONS)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return Encoder(precision=request.param, engine="onednn")


# Without AVX512, oneDNN's float32 products round differently with the number of rows.
TOLERANCE = 0 if LIBRARY.has(0x27) else 1e-6


def cosines(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return (vectors * reference).sum(1) / np.linalg.norm(reference, axis=1)


def test_float32_is_that_of_libtorch() -> None:
    assert_same(Encoder(precision="float32", engine="onednn").encode(TEXTS), REFERENCE["tokens_256"])


def test_every_precision_is_near_libtorch(encoder: Encoder) -> None:
    mean, least = {"float32": (0.999999, 0.99999), "bfloat16": (0.9999, 0.9998), "int8": (0.995, 0.98)}[
        encoder.precision
    ]
    found = cosines(encoder.encode(TEXTS), REFERENCE["tokens_256"])
    assert found.mean() >= mean
    assert found.min() >= least


def test_every_length_is_right() -> None:
    checkpoint = open_checkpoint()
    worker = make_engine(checkpoint, "float32", "onednn")[0].worker()
    exact = make_engine(checkpoint, "float32", "numpy")[0].worker()
    ids = [101, *range(2000, 2510), 102]
    for length in (1, 2, 7, 8, 9, 16, 63, 65, 100, 127, 129, 160, 161, 200, 255, 256, 300, 337, 511, 512):
        np.testing.assert_allclose(
            worker.token_vectors([ids[:length]])[0],
            exact.token_vectors([ids[:length]])[0],
            atol=2e-4,
            err_msg=str(length),
        )


def test_a_vector_does_not_depend_on_its_batch_or_the_threads(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, rtol=0, atol=TOLERANCE)
    four = Encoder(precision=encoder.precision, engine="onednn", threads=4)
    np.testing.assert_allclose(four.encode(TEXTS * 2)[len(TEXTS) :], together, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("length", [3, 16, 61, 130, 250, 512])
def test_texts_that_run_together_have_the_vectors_they_have_alone(encoder: Encoder, length: int) -> None:
    engine, worker = encoder._engine, encoder._engine.worker()
    sequences = [[101, *range(2000 + 300 * i, 2000 + 300 * i + length - 2), 102] for i in range(9)]
    sequences[1:3] = [ids[: -1 - i] for i, ids in enumerate(sequences[1:3])]
    sequences.sort(key=len)
    batches = list(engine.batches(list(map(len, sequences))))
    assert [i for batch in batches for i in batch] == list(range(9))
    assert max(map(len, batches)) > 1 or length == 512
    for batch in batches:
        together = [x.copy() for x in worker.token_vectors([sequences[i] for i in batch])]
        for i, x in zip(batch, together, strict=True):
            alone = worker.token_vectors([sequences[i]])[0]
            np.testing.assert_allclose(x, alone, rtol=0, atol=TOLERANCE * abs(alone).max(), err_msg=str(i))


def test_threads_that_share_kernels_do_not_disturb_each_other(encoder: Encoder) -> None:
    expected = encoder.encode(TEXTS)

    def greatest_difference(seed: int) -> float:
        order = np.random.default_rng(seed).permutation(len(TEXTS))
        return float(np.abs(encoder.encode([TEXTS[i] for i in order]) - expected[order]).max())

    with ThreadPoolExecutor(4) as threads:
        assert max(threads.map(greatest_difference, range(8))) <= TOLERANCE


def test_no_operation_falls_to_the_reference_kernel(encoder: Encoder) -> None:
    worker = encoder._engine.worker()
    for length in (3, 16, 130, 256):
        worker.token_vectors([[101] * length])
    worker.token_vectors([[101] * 60] * 4)
    primitives = encoder._engine._model.primitives
    assert len(primitives) >= 5 * 7
    for operation, primitive in primitives.items():
        assert not primitive.implementation.startswith("ref"), operation


@pytest.mark.parametrize("precision", PRECISIONS)
def test_scores_too_large_for_exp_are_computed_the_slow_way(make_checkpoint, precision: str, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = make_checkpoint()
    tensors = load_file(folder / "model.safetensors")
    for name in tensors:
        if "query.weight" in name or "key.weight" in name:
            tensors[name] *= 30
    save_file(tensors, folder / "model.safetensors")
    exact = Encoder(folder, engine="numpy")
    exact.calibrate(CODE, tmp_path / "int8")
    encoder = Encoder(folder, precision, engine="onednn", calibration=tmp_path / "int8")
    vectors = encoder.encode(CODE)
    alone = np.concatenate([encoder.encode([text]) for text in CODE])
    np.testing.assert_allclose(alone, vectors, rtol=0, atol=TOLERANCE)
    # With a softmax as sharp as this, the greatest score takes all: a rounding may change which one it is.
    least = {"float32": 0.9999, "bfloat16": 0.9, "int8": 0.5}[precision]
    assert np.mean(cosines(vectors, exact.encode(CODE))) >= least


def test_another_checkpoint_runs_in_int8_once_it_is_calibrated(checkpoint: Path, tmp_path: Path) -> None:
    if "int8" not in PRECISIONS:
        pytest.skip("this CPU has no VNNI")
    with pytest.raises(EngineError, match="calibration"):
        Encoder(checkpoint, "int8")
    exact = Encoder(checkpoint)
    assert exact.precision == "float32"
    assert "not calibrated" in exact.reason
    exact.calibrate(CODE[::2], tmp_path / "int8")
    encoder = Encoder(checkpoint, calibration=tmp_path / "int8")
    assert encoder.precision == "int8"
    assert encoder.fingerprint == exact.fingerprint
    assert cosines(encoder.encode(CODE), exact.encode(CODE)).min() > 0.98


def test_a_damaged_calibration_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "int8").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="int8"):
        Encoder(checkpoint, "int8", calibration=tmp_path / "int8")


def test_a_quantized_file_of_other_weights_is_refused(make_checkpoint, tmp_path: Path) -> None:
    Encoder(make_checkpoint("one")).calibrate(CODE, tmp_path / "int8")
    with pytest.raises(CheckpointError, match="int8 was not made of"):
        Encoder(make_checkpoint("two", layer_norm_eps=1e-6), "int8", calibration=tmp_path / "int8")


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="float32"):
        Encoder(precision="float16")
    with pytest.raises(UsageError, match="mkl"):
        Encoder(engine="cuda")
    with pytest.raises(EngineError, match="int8"):
        Encoder(precision="int8", engine="mkl")


def test_the_environment_chooses_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERIAN_PRECISION", "float32")
    assert choose().precision == "float32"
    assert choose("int8").precision == "int8"
    monkeypatch.setenv("KUBERIAN_PRECISION", "float8")
    with pytest.raises(UsageError, match="float8"):
        choose()


def in_new_process(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ENCODE_AS = """
import sys, numpy as np
from kuberian import Encoder
from tests.encoder.texts import CODE
encoder = Encoder(precision={precision!r}, engine={engine!r})
np.save({file!r}, encoder.encode(CODE))
print(encoder.precision, encoder.reason, sep="|")
"""


@pytest.mark.parametrize("isa", ["SSE41", "AVX2", "AVX512_CORE", "AVX512_CORE_VNNI"])
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_lesser_cpu_gives_right_vectors(isa: str, precision: str, tmp_path: Path) -> None:
    code = ENCODE_AS.format(precision=precision, engine="onednn", file=str(tmp_path / "v.npy"))
    used, reason = in_new_process(code, DNNL_MAX_CPU_ISA=isa).split("|")
    vectors, expected = np.load(tmp_path / "v.npy"), REFERENCE["tokens_256"][: len(CODE)]
    if used == "int8":
        assert isa == "AVX512_CORE_VNNI"
        assert cosines(vectors, expected).mean() >= 0.995
    else:
        assert_same(vectors, expected)
        assert precision == "float32" or isa == "AVX512_CORE_VNNI" or "VNNI" in reason


@pytest.mark.parametrize("isa", ["SSE4_2", "AVX2", "AVX512"])
def test_a_lesser_cpu_gives_right_vectors_with_mkl(isa: str, tmp_path: Path) -> None:
    code = ENCODE_AS.format(precision="float32", engine="mkl", file=str(tmp_path / "v.npy"))
    in_new_process(code, MKL_ENABLE_INSTRUCTIONS=isa)
    assert_same(np.load(tmp_path / "v.npy"), REFERENCE["tokens_256"][: len(CODE)])


def test_bfloat16_is_refused_by_name_where_the_cpu_lacks_it() -> None:
    code = "from kuberian import Encoder\ntry: Encoder(precision='bfloat16')\nexcept Exception as e: print(e)"
    assert "bfloat16" in in_new_process(code, DNNL_MAX_CPU_ISA="AVX2")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_same_vectors_come_from_every_run(precision: str, tmp_path: Path) -> None:
    for name in ("a.npy", "b.npy"):
        in_new_process(ENCODE_AS.format(precision=precision, engine="onednn", file=str(tmp_path / name)))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


def test_a_library_that_lacks_functions_is_refused_by_name(tmp_path: Path) -> None:
    library = compile_library("void dnnl_version(void) {}", tmp_path / "libdnnl.so.3")
    code = "from kuberian import Encoder\ntry: Encoder(engine='onednn')\nexcept Exception as e: print(e)"
    message = in_new_process(code, KUBERIAN_ONEDNN=str(library))
    assert str(library) in message
    assert "lacks dnnl_engine_create" in message
