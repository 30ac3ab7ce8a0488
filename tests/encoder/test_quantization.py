"""Weights in bytes: what rounding them costs a product."""

from __future__ import annotations

import numpy as np
import pytest

from kuberian.model.bert import Linear
from kuberian.model.int8.activations import Activations
from kuberian.model.int8.quantization import Bytes, quantize
from kuberian.model.int8.rounding import round_weights

RANDOM = np.random.default_rng(5)
CHANNELS, OUT, TOKENS = 200, 48, 4000


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    """[tokens, channels] that have much in common, as activations do, and a mean that is not 0."""
    hidden = RANDOM.standard_normal((TOKENS, 12)) @ RANDOM.standard_normal((12, CHANNELS))
    return (hidden + 0.1 * RANDOM.standard_normal((TOKENS, CHANNELS)) + 2).astype(np.float32)


@pytest.fixture(scope="module")
def weight() -> np.ndarray:
    return RANDOM.standard_normal((OUT, CHANNELS)).astype(np.float32)


def test_products_err_less_than_with_weights_rounded_to_the_nearest(inputs: np.ndarray, weight: np.ndarray) -> None:
    step = np.abs(weight).max(1) / 127
    nearest = np.rint(weight / step[:, None])
    rounded = round_weights(weight, step, np.cov(inputs.T))
    centred = inputs - inputs.mean(0)

    def error(weights: np.ndarray) -> float:
        return float(np.square(centred @ (weights * step[:, None] - weight).T).mean())

    assert error(rounded.astype(np.float32)) < 0.3 * error(nearest)
    assert np.abs(rounded.astype(np.int32)).max() <= 127


def test_inputs_that_have_nothing_in_common_give_the_nearest(weight: np.ndarray) -> None:
    step = np.abs(weight).max(1) / 127
    np.testing.assert_array_equal(
        round_weights(weight, step, np.diag(np.linspace(0, 2, CHANNELS))), np.rint(weight / step[:, None])
    )


def test_rounding_does_not_shift_the_mean_of_a_product(inputs: np.ndarray, weight: np.ndarray) -> None:
    low, high = inputs.min(0), inputs.max(0)
    seen = Activations(low, high, inputs.mean(0), np.cov(inputs.T))
    bytes_ = Bytes((high - low) / 255, -low / (high - low) * 255)
    linear = Linear(weight, RANDOM.standard_normal(OUT).astype(np.float32))
    made = quantize(linear, bytes_, seen)
    stored = inputs / bytes_.scale + bytes_.zero  # not rounded: this is about the weights
    product = (stored @ made.weight.astype(np.float32)) * made.step + made.bias
    np.testing.assert_allclose(product.mean(0), (inputs @ weight.T + linear.bias).mean(0), atol=0.01)
    nearest = np.rint(weight * bytes_.scale / made.step[:, None])
    shift = (nearest * made.step[:, None] / bytes_.scale - weight) @ inputs.mean(0)
    assert np.abs(shift).max() > 0.1  # which is what the nearest bytes would do
