"""The C and the assembly that tell the measuring program what its candidates are (``c/subject.h``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mnv2c.codegen.parallel import part_body, part_parameters
from mnv2c.dtypes import COMPUTED, number_type
from mnv2c.kernels.microkernels import provider_for
from mnv2c.kernels.next_weights import fetched_bytes
from mnv2c.link.formats import ELF
from mnv2c.plan.arena import ALIGNMENT, aligned
from mnv2c.plan.chain import StageKind
from mnv2c.verification.tolerance import FLOAT32

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain, Stage
    from mnv2c.targets import Target
    from mnv2c.tune.measure.candidate import Candidate

DATA = "data.S"
TABLE = "table.c"


@dataclass
class _Blobs:
    """Read-only data by content: what several candidates have is stored once."""

    names: dict[bytes, str] = field(default_factory=dict)

    def name(self, content: bytes) -> str:
        return self.names.setdefault(content, f"data_{len(self.names)}")

    def files(self) -> dict[str, bytes]:
        """The data and the assembly that embeds them."""
        parts = [
            ELF.blob.format(name=name, symbol=name, file=f"{name}.bin", alignment=ALIGNMENT, digest="")
            for name in self.names.values()
        ]
        return {DATA: "".join(parts).encode(), **{f"{name}.bin": content for content, name in self.names.items()}}


def subject_files(
    chain: Chain, target: Target, threads: int, candidates: Sequence[Candidate], expected: Sequence[bytes]
) -> dict[str, bytes]:
    """The sources and data, by file name, for ``candidates`` of ``chain``, the default first.

    ``expected`` are the contents of the outputs. ``threads`` share the parts of a candidate.
    """
    blobs = _Blobs()
    lines = ['#include "subject.h"', ""]
    lines += [_functions(index, chain, candidate, blobs) for index, candidate in enumerate(candidates)]
    rows = [_row(index, candidate) for index, candidate in enumerate(candidates)]
    lines += ["static const candidate candidates[] = {", *rows, "};"]
    inputs = [f"    {{{shape.elements}u, 4u, 0u, NULL}}," for shape in chain.inputs]
    lines += ["static const tensor inputs[] = {", *inputs, "};"]
    names = [blobs.name(content) for content in expected]
    outputs = [_output(chain.stage(name), blob) for name, blob in zip(chain.outputs, names, strict=True)]
    lines += ["static const tensor outputs[] = {", *outputs, "};"]
    fetched = fetched_bytes(provider_for(COMPUTED.name, target), target.l2_bytes, threads)
    counts = f"{len(rows)}u, {len(inputs)}u, {len(outputs)}u, {threads}u"
    subject = f"{{candidates, inputs, outputs, {counts}, {target.l2_bytes}u, {fetched}u, {FLOAT32!r}}}"
    lines += [f"const subject SUBJECT = {subject};", ""]
    declared = [f"extern HIDDEN const unsigned char {name}[];" for name in blobs.names.values()]
    lines[1:1] = declared
    return {TABLE: "\n".join(lines).encode(), **blobs.files()}


def _output(stage: Stage, blob: str) -> str:
    width, classes = number_type(stage.dtype).bytes, int(stage.kind is StageKind.ARGMAX)
    return f"    {{{stage.shape.elements}u, {width}u, {classes}u, {blob}}},"


def _functions(index: int, chain: Chain, candidate: Candidate, blobs: _Blobs) -> str:
    """The kernel's prototype, its weights, and the function that calls it for one part."""
    arguments = [f"at->inputs[{number}]" for number in range(len(chain.inputs))]
    arguments += [f"at->outputs[{number}]" for number in range(int(candidate.in_place), len(chain.outputs))]
    arguments += [f"at->weights[{number}]" for number in range(len(candidate.weights))]
    arguments += _scratch(candidate)
    weights = [f"    {{{blobs.name(content)}, {len(content)}u}}," for content in candidate.weights]
    is_constant = [argument.startswith("at->weights") for argument in arguments]
    parameters = [f"{'const void' if constant else 'void'} *a{n}" for n, constant in enumerate(is_constant)]
    prototype = ", ".join([*parameters, *part_parameters(candidate.parts)])
    serial = ["    (void)part;"] if candidate.parts is None and not candidate.scratch else []
    body = part_body(candidate.parts, candidate.symbol, ", ".join(arguments), 2)
    return "\n".join(
        [
            f"extern HIDDEN int32_t {candidate.symbol}({prototype});",
            f"static const block weights_{index}[] = {{",
            *(weights or ["    {NULL, 0u},"]),
            "};",
            f"static int32_t run_{index}(const places *at, unsigned phase, unsigned part)",
            "{",
            *serial,
            *body,
            "}",
            "",
        ]
    )


def _scratch(candidate: Candidate) -> list[str]:
    """The addresses of the scratch buffers: each has its copies, one per strip, behind each other."""
    found, offset = [], 0
    copies = candidate.parts.copies if candidate.parts else 1
    for size in candidate.scratch:
        each = f" + part * {aligned(size)}u" if copies > 1 else ""
        found.append(f"at->scratch + {offset}u{each}")
        offset += aligned(size) * copies
    return found


def scratch_bytes(candidate: Candidate) -> int:
    """Bytes of all scratch buffers with all their copies."""
    copies = candidate.parts.copies if candidate.parts else 1
    return sum(aligned(size) * copies for size in candidate.scratch)


def _row(index: int, candidate: Candidate) -> str:
    parts = candidate.parts
    phases, count = (parts.phases, parts.count) if parts else (1, 1)
    numbers = f"{phases}u, {count}u, {int(candidate.in_place)}u, {len(candidate.weights)}u"
    return f"    {{run_{index}, {numbers}, weights_{index}, {scratch_bytes(candidate)}u}},"
