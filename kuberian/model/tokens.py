"""Texts to token ids, by a checkpoint's tokenizer.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from kuberian.errors import CheckpointError


class Tokens:
    """A tokenizer without padding, whatever its file says, and with our own length limit."""

    def __init__(self, path: Path, vocabulary: int, max_tokens: int) -> None:
        """Load the file; raises CheckpointError if it is damaged or has ids beyond the vocabulary of the model."""
        try:
            # Not `from_file`: a folder's name need not be UTF-8, and Rust takes no other.
            self._tokenizer = Tokenizer.from_buffer(path.read_bytes())
        except Exception as error:  # the Rust side raises bare Exception
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(f"{path} is damaged: {reason}; get the checkpoint again") from error
        # Some files ask to cut or pad every text to 128 tokens; the published vectors were made without that.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        size = self._tokenizer.get_vocab_size(with_added_tokens=True)
        if size > vocabulary:
            raise CheckpointError(f"{path} has {size} tokens, the model only {vocabulary}: they do not belong together")
        self._max_tokens = max_tokens
        # BERT's frame is [CLS] text [SEP]: a text that is cut keeps its [SEP].
        self._tail = 1 if self._tokenizer.num_special_tokens_to_add(False) > 1 else 0

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, special ones included, at least one and at most max_tokens."""
        return [self._cut(encoding.ids) for encoding in self._encode(texts)]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special ones included, without limit."""
        return [len(encoding) for encoding in self._encode(texts)]

    def _encode(self, texts: Sequence[str]) -> list:
        # os.fsdecode makes lone surrogates of odd file names; they are no UTF-8, and Rust refuses them.
        texts = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        return self._tokenizer.encode_batch_fast(texts)

    def _cut(self, ids: list[int]) -> list[int]:
        if len(ids) > self._max_tokens:
            return ids[: self._max_tokens - self._tail] + ids[len(ids) - self._tail :]
        return ids or [0]
