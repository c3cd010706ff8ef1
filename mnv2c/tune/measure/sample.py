"""What candidates of a chain are run on: inputs, random weights, and the results that are right."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mnv2c.codegen.selftest import selftest_input
from mnv2c.errors import CompilerError
from mnv2c.plan.chain import MATRIX_KINDS, Chain, StageKind, input_name
from mnv2c.tune.measure.reference import Values, evaluate
from mnv2c.verification.tolerance import FLOAT32

Floats = npt.NDArray[np.float32]
Weights = dict[str, tuple[Floats, Floats]]


@lru_cache(maxsize=2)
def weights_of(chain: Chain) -> Weights:
    """Random filters and biases by stage, always the same for a stage of the same name and extent.

    Filters [kernel rows, kernel columns, input channels (1 if depthwise), outputs] keep the size of values about equal
    from stage to stage.
    """
    found: Weights = {}
    for stage in chain.stages:
        outputs = stage.shape.channels
        if stage.kind in MATRIX_KINDS:
            inputs = chain.shape(stage.sources[0]).channels
        elif stage.kind is StageKind.DEPTHWISE:
            inputs = 1
        else:
            continue
        random = np.random.default_rng(zlib.crc32(stage.name.encode()))
        size = np.float32((2.0 / (inputs * stage.window.taps)) ** 0.5)
        taps = random.standard_normal((*stage.window.kernel, inputs, outputs), np.float32) * size
        found[stage.name] = taps, random.standard_normal(outputs, np.float32) * np.float32(0.1)
    return found


def inputs_of(chain: Chain) -> list[Floats]:
    """The inputs [rows, columns, channels] whose elements the measuring program makes, too, in the order they lie."""
    found = []
    for index, shape in enumerate(chain.inputs):
        stored = selftest_input((shape.elements,), "float32", index).astype(np.float32)
        if chain.is_planar(input_name(index)):
            found.append(stored.reshape(shape.channels, shape.rows, shape.columns).transpose(1, 2, 0))
        else:
            found.append(stored.reshape(shape.rows, shape.columns, shape.channels))
    return found


def expected_of(chain: Chain) -> list[bytes]:
    """The right contents of every output, in order.

    Classes that rounding may change are all bits set: any class is right there.
    """
    values = evaluate(chain, inputs_of(chain), weights_of(chain))
    found = []
    for name in chain.outputs:
        stage, value = chain.stage(name), values[name]
        if not np.isfinite(value).all():
            raise CompilerError(f"the reference of {name} is not finite")
        if stage.kind is StageKind.ARGMAX:
            found.append(_classes(value, values[stage.sources[0]], stage.dtype))
        else:
            found.append(value.astype(np.float32).tobytes())
    return found


def _classes(value: Values, scores: Values, dtype: str) -> bytes:
    classes = value.reshape(-1).astype(dtype)
    two = np.sort(scores.reshape(-1, scores.shape[-1]), axis=-1)[:, -2:]
    unsure = two[:, -1] - two[:, 0] <= 2 * FLOAT32 * float(np.abs(scores).max())
    unsigned = np.dtype(f"u{classes.dtype.itemsize}")
    stored = classes.view(unsigned)
    stored[unsure] = np.iinfo(unsigned).max
    return stored.tobytes()
