"""Make tests/encoder/reference.npz: vectors of tests/encoder/texts.py by libtorch and transformers.

    pip install torch==2.13.0 transformers==5.23.0
    python scripts/make_reference.py

Each text runs alone, without padding, in float32. Cut to the checkpoint's 256 tokens, and, for the sake of longer
sequences, to the model's 512.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.encoder.texts import TEXTS  # noqa: E402

CHECKPOINT = ROOT / "kuberian" / "checkpoints" / "all-MiniLM-L6-v2"


def vectors(model: BertModel, tokenizer: Tokenizer, max_tokens: int) -> np.ndarray:
    tokenizer.enable_truncation(max_tokens)
    rows = []
    with torch.inference_mode():
        for text in TEXTS:
            ids = torch.tensor([tokenizer.encode(text).ids])
            mean = model(ids).last_hidden_state[0].mean(0)
            rows.append((mean / mean.norm()).numpy())
    return np.stack(rows)


def main() -> None:
    model = BertModel.from_pretrained(CHECKPOINT, dtype=torch.float32, add_pooling_layer=False).eval()
    tokenizer = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
    tokenizer.no_padding()
    np.savez_compressed(
        ROOT / "tests" / "encoder" / "reference.npz",
        tokens_256=vectors(model, tokenizer, 256),
        tokens_512=vectors(model, tokenizer, 512),
        texts=json.dumps(TEXTS),
    )


if __name__ == "__main__":
    main()
