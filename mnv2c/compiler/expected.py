"""What the library must compute: the reference's values for the self-test's pattern, and samples of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import OnnxError
from mnv2c.verification import masks
from mnv2c.verification.tolerance import FLOAT32

if TYPE_CHECKING:
    import onnx

    from mnv2c.codegen.selftest import Expected
    from mnv2c.compiler.source import Source
    from mnv2c.plan.program import Program
    from mnv2c.selfcheck import Reference

SMALL = 1e-3
"""The last bit of a sigmoid's or of a sum's largest terms, some 6e-8, is half the tolerance of an output this small."""


def _file(source: Source) -> onnx.ModelProto:
    """The file itself: the model that is compiled has been prepared for the importer."""
    import onnx

    return onnx.load_model_from_string(source.serialized)


def reference(source: Source, program: Program) -> Reference:
    """Run the reference, onnxruntime, on the self-test's pattern; OnnxError where it computes NaN or infinity of it."""
    from mnv2c.codegen.selftest import selftest_input
    from mnv2c.selfcheck import Reference
    from mnv2c.verification import onnx_reference

    classes = {name: scores for name, scores in masks.scores_of(source.model).items() if name in _names(program)}
    content = masks.with_scores(_file(source), classes).SerializeToString() if classes else source.serialized
    session = onnx_reference.session(content)
    inputs = {port.name: selftest_input(port.shape, port.dtype, index) for index, port in enumerate(program.inputs)}
    names = [*_names(program), *dict.fromkeys(scores.tensor for scores in classes.values())]

    def run(values: Mapping[str, Any]) -> dict[str, Any]:
        return dict(zip(names, session.run(names, dict(values)), strict=True))

    found = run(inputs)
    for name, value in found.items():
        if not np.isfinite(value).all():
            raise OnnxError(f"output {name} holds NaN or infinity for an ordinary input; check the weights")
    return Reference(inputs, found, classes, run)


def samples(known: Reference, program: Program, model: bytes) -> list[Expected]:
    """What the self-test compares: samples of the outputs of the ``model``, as the reference computed them.

    Of an output whose numbers are all small, where onnxruntime's own rounding may show, float64 has the last word.
    """
    from mnv2c.codegen.selftest import expected
    from mnv2c.verification.double_precision import Settled, settled

    small = [name for name in _names(program) if 0 < np.abs(known.values[name]).max(initial=0) < SMALL]
    sharp = settled(small, known.values, model, known.inputs)

    sure = {
        name: np.flatnonzero(masks.margins(scores.per_class(known.values[scores.tensor])) > 2 * FLOAT32)
        for name, scores in known.classes.items()
    }
    each = [(name, sharp.get(name, Settled(known.values[name]))) for name in _names(program)]
    return [expected(found.values, sure.get(name), found.allowed) for name, found in each]


def _names(program: Program) -> list[str]:
    return [port.name for port in program.outputs]
