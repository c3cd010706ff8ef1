"""THE list of passes over a Relax module, in order.

Each leaves a well-formed module with one function ``main`` (and, once fused, one function per chain). What a pass may
assume stands in the docstring of its file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tvm import relax

from mnv2c.errors import CompilerError
from mnv2c.passes.add_biases import add_biases
from mnv2c.passes.channels_last import channels_last
from mnv2c.passes.constants_last import constants_last
from mnv2c.passes.fold_batch_norm import fold_batch_norm
from mnv2c.passes.fold_constants import fold_constants
from mnv2c.passes.fold_padding import fold_padding
from mnv2c.passes.fuse_bottleneck import fuse_bottleneck
from mnv2c.passes.fuse_branch import fuse_branch
from mnv2c.passes.fuse_dense import fuse_dense
from mnv2c.passes.fuse_head import fuse_head
from mnv2c.passes.fuse_inputs import fuse_inputs
from mnv2c.passes.fuse_predictions import fuse_predictions
from mnv2c.passes.fuse_resize import fuse_resize
from mnv2c.passes.fuse_single import fuse_single
from mnv2c.passes.global_means import global_means
from mnv2c.passes.lower_fallbacks import lower_fallbacks
from mnv2c.passes.place_concatenations import place_concatenations
from mnv2c.passes.plain_reshapes import plain_reshapes
from mnv2c.passes.separate_outputs import separate_outputs
from mnv2c.passes.split_concats import split_concats
from mnv2c.passes.spread_pixels import spread_pixels

Pass: TypeAlias = Callable[[Any], Any]

NORMALISE: tuple[Pass, ...] = (
    plain_reshapes,
    fold_constants,
    constants_last,
    global_means,
    spread_pixels,
    fold_padding,
    fold_batch_norm,
    add_biases,
    channels_last,
    split_concats,
)
"""One form for what exporters write in many: batch normalisation folded, channels last."""

FUSE: tuple[Pass, ...] = (
    fuse_predictions,
    fuse_bottleneck,
    fuse_head,
    fuse_dense,
    fuse_branch,
    fuse_single,
    fuse_resize,
    fuse_inputs,
    place_concatenations,
    separate_outputs,
    lower_fallbacks,
)
"""Every operator in a chain; what is left falls back to TVM's lowering and is reported."""


def canonical(module: Any) -> Any:
    """The module as the importer built it, in TVM's canonical form."""
    return run_passes(module, (relax.transform.CanonicalizeBindings(),))


def run_passes(module: Any, passes: Sequence[Pass]) -> Any:
    """Run every pass, verifying the module after each; CompilerError where one breaks it."""
    for each in passes:
        module = each(module)
        try:
            relax.analysis.well_formed(module)
        except Exception as error:  # TVM raises several kinds
            reason = str(error).strip().splitlines()[-1]
            name = getattr(each, "__name__", "canonicalise")
            raise CompilerError(f"pass {name} broke the Relax module ({reason}); please report this") from error
    return module
