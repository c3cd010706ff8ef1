"""The first half of the pipeline, which needs no target: whatever the user named becomes a fused network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.compiler.dump import Dump
from mnv2c.compiler.guard import one_line_errors
from mnv2c.compiler.source import Source, library_name, read_source

if TYPE_CHECKING:
    from mnv2c.from_onnx.input_shapes import Given
    from mnv2c.plan.network import Network


@dataclass(frozen=True, eq=False)
class Front:
    """The model, the name of its library, and its network of chains and fallbacks."""

    source: Source
    library: str
    network: Network


def front(
    model: str | Path,
    *,
    width: float | None,
    resolution: int | str | tuple[int, int] | None,
    classes: int | None,
    weights: str | Path | None = None,
    weights_source: str | None = None,
    seed: int = 0,
    name: str | None = None,
    input_shape: Given = None,
    dumped: Dump | None = None,
    tell: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Front:
    """Read and fuse a zoo model, a TOML spec or an ONNX file; raises UserError or CompilerError."""
    dumped = dumped or Dump(None)
    tell("spec to ONNX", 0.0)
    source = read_source(
        model,
        weights,
        seed,
        width=width,
        resolution=resolution,
        classes=classes,
        weights_source=weights_source,
        input_shape=input_shape,
    )
    library = library_name(source, name)
    dumped.onnx(source.serialized)
    tell("ONNX to Relax, fusion", 0.05)
    from mnv2c.compiler.stages import fuse

    with one_line_errors(source.title, "understood"):
        return Front(source, library, fuse(source.model, dumped.text))
