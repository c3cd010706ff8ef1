"""Seeded random weights, for benchmarks and tests without a download.

Every tensor is drawn from a stream of its own, keyed by seed and tensor name, so neither the order of drawing nor
the rest of the model matters to it. Only PCG64's raw integers, exact scaling and correctly rounded operations are
used, never a library's distribution, so that the values are the same on every platform and NumPy version.

Batch normalisation is given the statistics its input really has, as training would: mean and variance are carried
from layer to layer under the assumption that values are independent and, before ReLU6, normal. Without that,
fifty-three random layers either die out or saturate.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from math import erf, exp, pi, prod, sqrt

import numpy as np

from mnv2c.spec import Layer, ModelSpec, layers
from mnv2c.spec.priors import CONVENTIONS
from mnv2c.weights.names import Weights

# Ranges of BN's scale and shift after each activation. Before ReLU6 they let about a third of the values be
# clipped at 0 and a few percent at 6; the linear range keeps a sum of four residuals near unit scale.
GAMMA = {"relu6": (1.5, 2.5), "relu": (1.5, 2.5), "linear": (0.5, 1.0)}
BETA = {"relu6": (0.5, 2.5), "relu": (0.5, 2.5), "linear": (-0.5, 0.5)}
BIAS = (-0.5, 0.5)
LOGIT_SCALE = 3.0  # standard deviation of the logits over the classes
BOX_SCALE = 1.0  # of a detector's box encodings
SCORE_SCALE = 2.0  # of a detector's scores
SCALES = {"boxes_": BOX_SCALE, "scores_": SCORE_SCALE}  # by the beginning of a layer's name
SCORE_BIAS = (-6.0, -4.0)  # of a detector's scores but the background's: of thousands of boxes few hold something
STATISTIC_STEP = 2.0**-12  # statistics are rounded to this grid, which hides the last bits of libm and summation


@dataclass(frozen=True)
class _Statistics:
    """Expected mean and variance of each channel of a tensor, float64 (channels,)."""

    mean: np.ndarray
    variance: np.ndarray


IMAGE = _Statistics(mean=np.zeros(3), variance=np.full(3, 1 / 3))  # pixels uniform in [-1, 1]


def uniform(seed: int, name: str, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Return float32 values in [low, high), a function of the arguments only."""
    key = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    raw = np.random.PCG64(int.from_bytes(key[:16], "little")).random_raw(prod(shape))
    fraction = (raw >> np.uint64(40)).astype(np.float64) * 2.0**-24
    return (low + (high - low) * fraction).astype(np.float32).reshape(shape)


def random_weights(spec: ModelSpec, seed: int) -> Weights:
    """Return every tensor that ``mnv2c.weights.expected`` names, as float32, in the same order."""
    weights: Weights = {}
    seen: dict[str, _Statistics] = {}
    for layer in layers(spec):
        if not all(name in seen for name in layer.inputs):
            continue  # behind the predictions, where nothing has weights
        inputs = [seen[name] for name in layer.inputs] or [IMAGE]
        if layer.has_batch_norm:
            seen[layer.name] = _convolution(layer, inputs[0], seed, weights)
        elif layer.kind == "add":
            seen[layer.name] = _Statistics(inputs[0].mean + inputs[1].mean, inputs[0].variance + inputs[1].variance)
        elif layer.kind == "concat":
            seen[layer.name] = _Statistics(*(np.concatenate(part) for part in zip(*map(astuple, inputs), strict=True)))
        elif layer.kind == "dense":
            _dense(layer, inputs[0], seed, weights)
        elif layer.has_bias:
            _prediction(layer, inputs[0], spec, seed, weights)
        else:
            seen[layer.name] = inputs[0]
    return weights


def _convolution(layer: Layer, source: _Statistics, seed: int, weights: Weights) -> _Statistics:
    """Draw weight, scale and shift; set BN's mean and variance to what the convolution is expected to give."""
    name, channels = layer.name, layer.output_shape[2:]
    bound = sqrt(3 / prod(layer.weight_shape[1:]))  # variance 1 / fan-in
    weight = weights[f"{name}.weight"] = uniform(seed, f"{name}.weight", layer.weight_shape, -bound, bound)
    gamma = uniform(seed, f"{name}.bn.gamma", channels, *GAMMA[layer.activation])
    beta = uniform(seed, f"{name}.bn.beta", channels, *BETA[layer.activation])
    taps = weight.astype(np.float64).reshape(*layer.weight_shape[:2], -1)
    if layer.groups > 1:
        mean = taps.sum((1, 2)) * source.mean
        variance = (taps**2).sum((1, 2)) * source.variance
    else:
        mean = (taps.sum(2) * source.mean).sum(1)
        variance = ((taps**2).sum(2) * source.variance).sum(1)
    weights[f"{name}.bn.gamma"], weights[f"{name}.bn.beta"] = gamma, beta
    weights[f"{name}.bn.mean"] = _rounded(mean)
    weights[f"{name}.bn.variance"] = _rounded(np.maximum(variance, STATISTIC_STEP))
    return _activated(beta.astype(np.float64), gamma.astype(np.float64), layer.activation)


def _dense(layer: Layer, source: _Statistics, seed: int, weights: Weights) -> None:
    """Scale the weight so that logits spread by LOGIT_SCALE around the bias."""
    power = float((source.mean**2 + source.variance).sum())
    bound = float(_rounded(np.array(LOGIT_SCALE * sqrt(3 / power))))
    name = layer.name
    weights[f"{name}.weight"] = uniform(seed, f"{name}.weight", layer.weight_shape, -bound, bound)
    weights[f"{name}.bias"] = uniform(seed, f"{name}.bias", layer.output_shape[2:], *BIAS)


def _prediction(layer: Layer, source: _Statistics, spec: ModelSpec, seed: int, weights: Weights) -> None:
    """Let every result spread over the map by its scale, around a number drawn as the bias of ``_dense``.

    The weighted means of the inputs are the same at every pixel: without taking them off, one class would win all.
    """
    name = layer.name
    power = float(source.variance.sum()) * prod(layer.kernel)
    scale = next((scale for prefix, scale in SCALES.items() if name.startswith(prefix)), LOGIT_SCALE)
    bound = float(_rounded(np.array(scale * sqrt(3 / power))))
    weight = weights[f"{name}.weight"] = uniform(seed, f"{name}.weight", layer.weight_shape, -bound, bound)
    centre = uniform(seed, f"{name}.bias", layer.output_shape[2:], *BIAS)
    if name.startswith("scores_"):
        slots = np.arange(centre.size) % spec.classes
        scores = uniform(seed, f"{name}.bias", layer.output_shape[2:], *SCORE_BIAS)
        centre = np.where(slots == CONVENTIONS[spec.boxes].background, centre, scores)
    constant = (weight.astype(np.float64).sum((2, 3)) * source.mean).sum(1)
    weights[f"{name}.bias"] = _rounded(centre - constant)


def _activated(mean: np.ndarray, deviation: np.ndarray, activation: str) -> _Statistics:
    """Statistics of normal values after the activation."""
    if activation == "linear":
        return _Statistics(mean, deviation**2)
    of = _relu6_moments if activation == "relu6" else _relu_moments
    moments = np.array([of(m, d) for m, d in zip(mean.tolist(), deviation.tolist(), strict=True)])
    return _Statistics(moments[:, 0], moments[:, 1])


def _relu6_moments(mean: float, deviation: float) -> tuple[float, float]:
    """Return mean and variance of min(max(z, 0), 6) for a normal z."""
    low, high = -mean / deviation, (6 - mean) / deviation
    inside = (erf(high / sqrt(2)) - erf(low / sqrt(2))) / 2
    density_low, density_high = (exp(-x * x / 2) / sqrt(2 * pi) for x in (low, high))
    above = (1 - erf(high / sqrt(2))) / 2
    first = mean * inside + deviation * (density_low - density_high) + 6 * above
    second = (
        (mean**2 + deviation**2) * inside
        + 2 * mean * deviation * (density_low - density_high)
        + deviation**2 * (low * density_low - high * density_high)
        + 36 * above
    )
    return first, second - first**2


def _relu_moments(mean: float, deviation: float) -> tuple[float, float]:
    """Return mean and variance of max(z, 0) for a normal z."""
    ratio = mean / deviation
    above, density = (1 + erf(ratio / sqrt(2))) / 2, exp(-ratio * ratio / 2) / sqrt(2 * pi)
    first = mean * above + deviation * density
    second = (mean**2 + deviation**2) * above + mean * deviation * density
    return first, second - first**2


def _rounded(values: np.ndarray) -> np.ndarray:
    return (np.round(values / STATISTIC_STEP) * STATISTIC_STEP).astype(np.float32)
