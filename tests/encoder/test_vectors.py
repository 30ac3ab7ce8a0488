"""The vectors are those of libtorch, however texts are batched and whichever engine runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kuberian import Encoder
from kuberian.errors import UsageError
from kuberian.model.bert import pool
from kuberian.model.checkpoint import open_checkpoint
from kuberian.model.engines.choose import has_mkl_wheels, make_engine
from kuberian.model.tokens import Tokens

from .texts import CODE, LONG, QUESTIONS, TEXTS

ENGINES = ["mkl", "numpy"] if has_mkl_wheels() else ["numpy"]
REFERENCE = np.load(Path(__file__).with_name("reference.npz"))


@pytest.fixture(scope="module", params=ENGINES)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return Encoder(engine=request.param)


def assert_same(vectors: np.ndarray, reference: np.ndarray) -> None:
    cosines = (vectors * reference).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(reference, axis=1)
    assert cosines.min() >= 0.99999
    assert np.abs(vectors - reference).max() <= 1e-4


def test_reference_was_made_from_these_texts() -> None:
    assert json.loads(str(REFERENCE["texts"])) == TEXTS
    assert len(TEXTS) >= 60


def test_vectors_are_those_of_libtorch(encoder: Encoder) -> None:
    assert_same(encoder.encode(TEXTS), REFERENCE["tokens_256"])


@pytest.mark.parametrize("engine", ENGINES)
def test_vectors_of_512_tokens_are_those_of_libtorch(engine: str) -> None:
    checkpoint = open_checkpoint()
    sequences = Tokens(checkpoint.tokenizer_file, checkpoint.config.vocabulary, 512).encode(LONG)
    assert max(map(len, sequences)) == 512
    worker = make_engine(checkpoint, "float32", engine)[0].worker()
    vectors = pool(worker.token_vectors(sequences), "mean")
    assert_same(vectors, REFERENCE["tokens_512"][-len(LONG) :])


def test_vectors_have_length_one_and_come_in_order(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimension) == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1]), vectors[::-1], atol=1e-6)


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() <= 1e-6


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_do_not_change_the_vectors(engine: str) -> None:
    texts = TEXTS * 3
    one, four = (Encoder(engine=engine, threads=n).encode(texts) for n in (1, 4))
    np.testing.assert_array_equal(one, four)


ON_HASWELL = """
import threading
import numpy as np
from threadpoolctl import threadpool_info
from kuberian.model.engines.blas_threads import ONE_BLAS_THREAD
from kuberian import Encoder
from tests.encoder.texts import TEXTS

counts = []
def look():
    with ONE_BLAS_THREAD:
        counts.append([library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"])

look()
for _ in range(3):
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
assert all(count == [1] for count in counts), counts
one, two, four = (Encoder(engine="numpy", threads=threads).encode(TEXTS) for threads in (1, 2, 4))
np.testing.assert_array_equal(one, two)
np.testing.assert_array_equal(one, four)
"""


def test_blas_stays_on_one_thread_whichever_thread_asks() -> None:
    """OpenBLAS sums in another order with two threads, on CPUs without AVX512; so it is told that this is one."""
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Haswell", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-P", "-c", ON_HASWELL] if sys.version_info >= (3, 11) else [sys.executable, "-c", ON_HASWELL],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_an_encoder_may_be_used_from_several_threads(encoder: Encoder) -> None:
    from concurrent.futures import ThreadPoolExecutor

    expected = encoder.encode(CODE)
    with ThreadPoolExecutor(4) as threads:
        for vectors in threads.map(encoder.encode, [CODE] * 8):
            np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_more_texts_than_are_held_at_a_time_keep_their_order() -> None:
    encoder = Encoder()
    texts = [f"number {i}" for i in range(2100)]
    vectors = encoder.encode(texts)
    for i in (0, 1, 2047, 2048, 2099):
        np.testing.assert_allclose(vectors[i], encoder.encode([texts[i]])[0], atol=1e-6)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_one_text_instead_of_a_list_is_refused(encoder: Encoder) -> None:
    with pytest.raises(UsageError, match="list"):
        encoder.encode("where is auth")


def test_lone_surrogates_of_odd_file_names_are_embedded(encoder: Encoder) -> None:
    assert np.isfinite(encoder.encode(["caf\udce9.py", "caf\udce9.py def f(): pass"])).all()


def test_tokens_are_counted_with_special_ones_and_beyond_the_limit(encoder: Encoder) -> None:
    assert encoder.count_tokens(["", "the", "word " * 300]) == [2, 3, 302]
    assert encoder.max_tokens == 256


def test_what_is_beyond_the_limit_is_not_read(encoder: Encoder) -> None:
    just_fits = "word " * 254
    np.testing.assert_allclose(*encoder.encode([just_fits, just_fits + "and much more"]), atol=1e-6)


def test_related_texts_are_closer_than_unrelated_ones(encoder: Encoder) -> None:
    question, login, stack = encoder.encode([QUESTIONS[0], CODE[0], CODE[7]])
    assert question @ login > question @ stack


def test_scores_too_large_for_exp_do_not_overflow(make_checkpoint) -> None:
    from safetensors.numpy import load_file, save_file

    folder = make_checkpoint()
    tensors = load_file(folder / "model.safetensors")
    for name in tensors:
        if "query.weight" in name or "key.weight" in name:
            tensors[name] *= 30
    save_file(tensors, folder / "model.safetensors")
    vectors = Encoder(folder).encode(CODE)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(vectors, Encoder(folder, engine="numpy").encode(CODE), atol=1e-4)
