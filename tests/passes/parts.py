"""Constants and small networks for the tests of the passes: NHWC, 5x7 pixels, 4 channels expanded to 8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax


def values(*shape: int, seed: int = 0) -> Any:
    """A constant of random values."""
    return relax.const(np.random.default_rng([seed, *shape]).uniform(-1, 1, shape).astype(np.float32))


EXPAND, EXPAND_BIAS = values(8, 1, 1, 4), values(1, 1, 1, 8, seed=1)
DEPTHWISE, DEPTHWISE_BIAS = values(8, 3, 3, 1), values(1, 1, 1, 8, seed=2)
PROJECT, PROJECT_BIAS = values(4, 1, 1, 8), values(1, 1, 1, 4, seed=3)
STEM, STEM_BIAS = values(8, 3, 3, 3), values(1, 1, 1, 8, seed=4)
GROUPED, GROUPED_BIAS = values(8, 3, 3, 2), values(1, 1, 1, 8, seed=5)
DENSE, DENSE_BIAS = values(8, 3), values(3, seed=6)
LOW, HIGH = relax.const(np.float32(0)), relax.const(np.float32(6))


NHWC = {"data_layout": "NHWC", "kernel_layout": "OHWI"}


def graph(shape: tuple[int, ...], build: Callable[[Any, Any], Any]) -> Any:
    """A module whose ``main`` is ``build(emit, x)`` of one input x of that shape."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(build(builder.emit, x))
        builder.emit_func_output(result)
    return relax.transform.CanonicalizeBindings()(builder.get())


def kinds(module: Any) -> dict[str, str]:
    """The chain kind of every function but ``main``, by name."""
    return {
        variable.name_hint: str(function.attrs["mnv2c.chain"])
        for variable, function in module.functions.items()
        if variable.name_hint != "main"
    }
