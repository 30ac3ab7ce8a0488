"""Texts to unit vectors."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from kuberian.cores import available_cores
from kuberian.errors import UsageError
from kuberian.model.bert import fold, open_embeddings, pool
from kuberian.model.checkpoint import QUANTIZED, open_checkpoint
from kuberian.model.engines.choose import make_engine
from kuberian.model.safetensors_file import Array
from kuberian.model.tokens import Tokens

if TYPE_CHECKING:
    from kuberian.model.engines import Worker

Result = TypeVar("Result")

# So many texts are tokenized and sorted by length at a time: memory does not grow with the number of texts.
WINDOW = 2048


class Encoder:
    """A BERT checkpoint that embeds texts.

    checkpoint: a folder with config.json, tokenizer.json, model.safetensors; None is the bundled all-MiniLM-L6-v2.
    precision: "float32" (exact), "bfloat16", "int8", or "auto": KUBERIAN_PRECISION if set, else int8 where the CPU,
        the installed libraries and the checkpoint allow it, else float32.
    threads: how many texts are worked on at a time; None is one per core that this process may use.
    engine: "auto", or by name "onednn", "mkl" or "numpy".
    calibration: a file that `calibrate` wrote, for int8 with a checkpoint whose folder has none.

    Raises CheckpointError for a bad checkpoint, EngineError if this machine lacks the engine or the precision,
    UsageError if there is no such engine or precision, or if threads is below 1.

    Attributes: dimension (of the vectors), name (of the checkpoint), precision, engine and reason (for people: what
    runs and why), max_tokens (a longer text is cut).
    """

    def __init__(
        self,
        checkpoint: Path | str | None = None,
        precision: str = "auto",
        threads: int | None = None,
        engine: str = "auto",
        calibration: Path | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads must be at least 1, not {threads}")
        self._checkpoint = open_checkpoint(checkpoint)
        config = self._checkpoint.config
        # Loading the tokenizer takes 20 ms, a third of the start, and does not hold Python's lock meanwhile.
        tokens = Background(lambda: Tokens(self._checkpoint.tokenizer_file, config.vocabulary, config.max_tokens))
        shipped = self._checkpoint.folder / QUANTIZED
        quantized = shipped if shipped.is_file() else calibration
        self._engine, choice = make_engine(self._checkpoint, precision, engine, quantized)
        self._tokens = tokens.result()
        self._threads = threads or available_cores()
        self._workers: list[Worker] = []
        self.name = self._checkpoint.name
        self.dimension = config.hidden
        self.max_tokens = config.max_tokens
        self.precision = self._engine.precision
        self.engine = self._engine.description
        self.reason = choice.reason

    @cached_property
    def fingerprint(self) -> str:
        """A hex digest of all that decides a text's vector but the precision: weights, tokenizer, pooling, max_tokens.

        It is the same for every precision: their vectors lie in one space, and a text's vectors in two precisions have
        a cosine above 0.99. So a question may be compared with chunks that were embedded in another precision.
        """
        return self._checkpoint.fingerprint()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special ones included; `encode` cuts a text with more than max_tokens."""
        return self._tokens.count(texts)

    def encode(self, texts: Sequence[str]) -> Array:
        """Embed texts, in order, as unit vectors: float32 [len(texts), dimension].

        A text's vector does not depend on the other texts or on the number of threads (differences below 1e-6).
        Several threads may call it at a time. Raises UsageError if given one str instead of a list of them.
        """
        if isinstance(texts, str):
            raise UsageError("encode() takes a list of texts, not one text")
        out = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), WINDOW):
            sequences = self._tokens.encode(texts[start : start + WINDOW])
            order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
            batches = self._engine.batches([len(sequences[i]) for i in order])
            self._run([[order[i] for i in batch] for batch in batches], sequences, out[start:])
        return out

    def calibrate(self, texts: Sequence[str], file: Path) -> None:
        """Write this checkpoint's eight-bit form, fit to these texts: some hundred chunks are enough.

        It runs in float32, at some 10 texts a second. The first few words of each text count as one more text:
        questions are as short, and short texts have larger activations.
        """
        from kuberian.model.calibration import calibrate
        from kuberian.model.engines.blas_threads import ONE_BLAS_THREAD
        from kuberian.model.int8.quantization import quantize_model
        from kuberian.model.int8.quantized_file import save

        model = fold(self._checkpoint)
        short = [" ".join(text.split()[: 1 + i % 8]) for i, text in enumerate(texts)]
        activations = calibrate(open_embeddings(self._checkpoint), model, self._tokens.encode([*texts, *short]))
        with ONE_BLAS_THREAD:
            save(quantize_model(model, activations), self.fingerprint, file)

    def _run(self, batches: list[list[int]], sequences: list[list[int]], out: Array) -> None:
        """Embed the sequences, batch by batch, into their rows of `out`, in this thread and up to threads - 1 others.

        A batch is the indices of its sequences.
        """
        waiting = deque(batches)

        def work() -> None:
            # Each thread takes its next batch itself. A thread that hands them out would take a core from the others.
            with self._worker() as worker:
                while True:
                    try:
                        batch = waiting.popleft()
                    except IndexError:
                        return
                    vectors = worker.token_vectors([sequences[i] for i in batch])
                    out[batch] = pool(vectors, self._checkpoint.config.pooling)

        helpers = min(self._threads, len(batches)) - 1
        if helpers < 1:
            work()
            return
        from concurrent.futures import ThreadPoolExecutor  # 8 ms that one question need not pay

        with ThreadPoolExecutor(helpers) as threads:
            helping = [threads.submit(work) for _ in range(helpers)]
            try:
                work()
            finally:
                waiting.clear()  # nothing is begun after an error, or Ctrl-C
            for future in helping:
                future.result()

    @contextmanager
    def _worker(self) -> Iterator[Worker]:
        """Lend a worker: an idle one, or a new one if all are at work."""
        try:
            worker = self._workers.pop()  # atomic, like append
        except IndexError:
            worker = self._engine.worker()
        try:
            yield worker
        finally:
            self._workers.append(worker)


class Background(threading.Thread, Generic[Result]):
    """A call of a function in a thread of its own."""

    def __init__(self, function: Callable[[], Result]) -> None:
        super().__init__()
        self._function = function
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Call the function, and keep its result or its error."""
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def result(self) -> Result:
        """Wait, then return what the function returned, or raise what it raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._result
