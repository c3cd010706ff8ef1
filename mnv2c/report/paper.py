"""Where the paper prints other figures than the count of its own Table 2 gives: footnotes, never a bent count."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from mnv2c.report.paper_heads import detector_notes, segmenter_notes
from mnv2c.spec import ModelSpec
from mnv2c.spec.cost import cost
from mnv2c.spec.table2 import TABLE2


class Printed(NamedTuple):
    """What the paper's Table 4 prints for a width multiplier at 224x224: millions."""

    width: float
    params: str
    madds: str


TABLE4: tuple[Printed, ...] = (Printed(1.0, "3.4", "300"), Printed(1.4, "6.9", "585"))

COUNTING = "Counted are convolutions and the fully connected layer; params include the scale and shift of BN."
BLOCKS = "The paper's text says 19 bottlenecks; its Table 2 lists 17."
TABLE3 = (
    "The paper's MobileNetV2 column of Table 3 multiplies the output channels of a line of Table 2 by its input "
    "resolution; at width 1 and 224 the tensor that exists at 56x56 has 24 channels, not 32."
)
TABLE3_HALF = (
    "At 112x112 the paper counts O(1): it takes the layers there to be computed without materialising a tensor. "
    "It prints 32 KB at 7x7, where the formula gives 31.4."
)
LOW_END = (
    "The paper's low end of 7 M MAdds is not reached by its own definition: "
    "width 0.35 at 96x96, the smallest, has {madds} M."
)


def footnotes(spec: ModelSpec) -> list[str]:
    """Return the differences between this model's count and the paper's figures, most general first."""
    if spec.family != "classifier":
        notes = detector_notes(spec) if spec.family == "detector" else segmenter_notes(spec)
        return [*notes, BLOCKS] if spec.rows == TABLE2 else notes
    notes = [COUNTING]
    total = cost(spec)
    for printed in TABLE4:
        if _is_papers(spec, printed.width, 224):
            notes.append(
                f"The paper's Table 4 prints {printed.params} M parameters and {printed.madds} M MAdds; "
                f"this count is {total.parameters / 1e6:.2f} M ({total.parameters_without_bn / 1e6:.2f} M without BN) "
                f"and {total.madds / 1e6:.1f} M."
            )
    if _is_papers(spec, 0.35, 96):
        notes.append(LOW_END.format(madds=f"{total.madds / 1e6:.1f}"))
    if spec.rows == TABLE2:
        notes += [BLOCKS, TABLE3, TABLE3_HALF]
    return notes


def _is_papers(spec: ModelSpec, width: float, size: int) -> bool:
    """Whether the model has the paper's cost at this width and size; padding and epsilon do not change it."""
    reference = ModelSpec(width=width, height=size, image_width=size)
    return replace(reference, name=spec.name, padding=spec.padding, bn_epsilon=spec.bn_epsilon) == spec
