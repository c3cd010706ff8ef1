"""THE list: every pass between the imported Relax module and the fused one, in order.

Each phase leaves a well-formed module with one function ``main`` (and, once fused, one function per chain). What a
phase may assume stands in the docstring of its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mnv2c.errors import CompilerError


@dataclass(frozen=True)
class Phase:
    """One named pass; with ``dump`` the module after it is an artefact of ``--dump``."""

    name: str
    run: Callable[[Any], Any]
    dump: str = ""


def phases() -> tuple[Phase, ...]:
    """Return the phases in order (a function, because importing the passes imports TVM)."""
    from tvm import relax

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

    return (
        # What the network is.
        Phase("canonicalise", relax.transform.CanonicalizeBindings(), dump="20-relax.py"),
        # Normalised: one form for what exporters write in many, batch normalisation folded, channels last.
        Phase("plain_reshapes", plain_reshapes),
        Phase("fold_constants", fold_constants),
        Phase("constants_last", constants_last),
        Phase("global_means", global_means),
        Phase("spread_pixels", spread_pixels),
        Phase("fold_padding", fold_padding),
        Phase("fold_batch_norm", fold_batch_norm),
        Phase("add_biases", add_biases),
        Phase("channels_last", channels_last),
        Phase("split_concats", split_concats, dump="25-normalised.py"),
        # Fused: every operator in a chain; what is left falls back to TVM's lowering and is reported.
        Phase("fuse_predictions", fuse_predictions),
        Phase("fuse_bottleneck", fuse_bottleneck),
        Phase("fuse_head", fuse_head),
        Phase("fuse_dense", fuse_dense),
        Phase("fuse_branch", fuse_branch),
        Phase("fuse_single", fuse_single),
        Phase("fuse_resize", fuse_resize),
        Phase("fuse_inputs", fuse_inputs),
        Phase("place_concatenations", place_concatenations),
        Phase("separate_outputs", separate_outputs),
        Phase("lower_fallbacks", lower_fallbacks, dump="30-fused.py"),
    )


def run_phases(module: Any, dump: Callable[[str, str], None] | None = None) -> Any:
    """Run every phase, verifying the module after each; ``dump(file name, text)`` receives the artefacts."""
    from tvm import relax

    for phase in phases():
        module = phase.run(module)
        try:
            relax.analysis.well_formed(module)
        except Exception as error:  # TVM raises several kinds
            reason = str(error).strip().splitlines()[-1]
            raise CompilerError(f"phase {phase.name} broke the Relax module ({reason}); please report this") from error
        if dump is not None and phase.dump:
            dump(phase.dump, module.script())
    return module
