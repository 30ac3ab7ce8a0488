"""Draw docs/encoder.svg from the JSON of the two benchmarks.

python -m benchmarks.encoder --json encoder.json
python -m benchmarks.embedding_throughput --json throughput.json
python -m benchmarks.plot_encoder encoder.json throughput.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "kuberian", "font.size": 9})

OUT = Path(__file__).parents[1] / "docs" / "encoder.svg"
COLORS = {"Kuberian": "#1f6feb", "OpenVINO": "#8250df", "ONNX": "#bf8700", "libtorch": "#cf222e", "sentence": "#cf222e"}


def color(engine: str) -> str:
    return next(value for key, value in COLORS.items() if engine.startswith(key))


def main() -> None:
    encoder, throughput = (json.loads(Path(path).read_text()) for path in sys.argv[1:3])
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), width_ratios=[1.1, 1])
    styles = {"int8": "-", "float32": "--"}
    for name in dict.fromkeys(row["engine"] for row in encoder):
        style = next((line for kind, line in styles.items() if kind in name), None)
        if style and "NumPy" not in name:
            rows = [row for row in encoder if row["engine"] == name]
            marker = "s" if "MKL" in name else "o"
            left.plot([r["tokens"] for r in rows], [r["least_ms"] for r in rows], style, marker=marker, ms=3,
                      color=color(name), label=name)  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel="tokens", ylabel="ms", title="One text, one core (lower is better)")
    left.set_xticks([16, 64, 150, 256, 512], ["16", "64", "150", "256", "512"])
    left.minorticks_off()
    left.legend(fontsize=6.5)
    throughput.sort(key=lambda row: row["chunks_per_second"])
    names = [row["engine"] for row in throughput]
    right.barh(names, [row["chunks_per_second"] for row in throughput], color=[color(name) for name in names])
    right.set(xlabel="chunks per second", title="Real chunks, two cores (higher is better)")
    right.tick_params(axis="y", labelsize=7)
    figure.tight_layout()
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
