"""What the phases of the pipeline share: what was asked, and what each of them has made so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.compiler.options import PlanOptions

if TYPE_CHECKING:
    from mnv2c.compiler.artefacts import Kernels, Sources
    from mnv2c.compiler.source import Source
    from mnv2c.link.linker import Linker
    from mnv2c.package import Content
    from mnv2c.plan.network import Network
    from mnv2c.plan.program import Program
    from mnv2c.planner.cuts import Cuts
    from mnv2c.planner.prepare import Prepared
    from mnv2c.records.best import Best
    from mnv2c.selfcheck import Check, Reference
    from mnv2c.targets.target import Target
    from mnv2c.to_relax.importer import Imported


@dataclass(eq=False)
class Compilation:
    """One way through the pipeline. What a phase makes is missing before it: AttributeError is a fault of the order.

    ``targets`` are the CPUs that the library has kernels for, best first, and ``best`` is what records know for each of
    them. ``labels`` and ``preprocessing`` are the user's words on classes and pictures, checked. With ``keeps_text``
    the text of the machine code is kept for a dump. ``folder`` is where the library goes.
    """

    options: PlanOptions
    targets: Sequence[Target] = ()
    best: Sequence[Best] = ()
    labels: tuple[str, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    keeps_text: bool = False
    folder: Path = field(init=False)
    linker: Linker = field(init=False)
    check: Check = field(init=False)

    source: Source = field(init=False)
    library: str = field(init=False)
    imported: Imported = field(init=False)
    module: Any = field(init=False)
    network: Network = field(init=False)
    prepared: Sequence[Prepared] = field(init=False)
    cuts: Cuts = field(init=False)
    kernels: Sequence[Kernels] = field(init=False)
    programs: Sequence[Program] = field(init=False)
    objects: Sequence[bytes] = field(init=False)
    texts: Sequence[str] = field(init=False)
    known: Reference = field(init=False)
    sources: Sources = field(init=False)
    files: dict[str, Content] = field(init=False)
