"""The paper's figures of detectors (Tables 5 and 6) and segmenters (Table 7) beside the count of the same networks."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from mnv2c.spec import ModelSpec
from mnv2c.spec.cost import cost
from mnv2c.spec.heads import FLIPS, HeadCost, detector_head_cost, multi_scale, padded_madds


class Table5(NamedTuple):
    """Extra and prediction layers with 80 classes: millions of parameters, billions of MAdds."""

    params: str
    madds: str
    remark: str


class Table7(NamedTuple):
    """A line of DeepLabv3 on the 320-channel map: millions of parameters, billions of MAdds."""

    output_stride: int
    aspp: bool
    multi_scale: bool
    params: str
    madds: str


CLASSES = 80  # of the paper's detectors
TABLE5 = {
    "ssdlite": Table5("2.1", "0.35", "the paper's MAdds are twice that"),
    "ssd": Table5("14.8", "1.25", "a slot for the background gives the paper's parameters"),
}
TABLE6 = ("4.3", "0.8")
TABLE7 = (
    Table7(16, True, False, "4.52", "5.8"),
    Table7(8, True, True, "4.52", "387"),
    Table7(16, False, False, "2.11", "2.75"),
    Table7(8, False, True, "2.11", "152.6"),
)

COUNTING = "Counted are convolutions; params include the scale and shift of BN."
TABLE5_NOTE = (
    "The paper's Table 5 prints {params} M parameters and {madds} B MAdds for the extra and the prediction layers with "
    "80 classes; this count is {own[0]} M and {own[1]} B ({more[0]} M and {more[1]} B with 81 slots); {remark}."
)
TABLE6_NOTE = (
    "The paper's Table 6 prints {params} M parameters and {madds} B MAdds with 80 classes; this count is {own} M and "
    "{own_madds} M."
)
TABLE7_NOTE = (
    "The paper's Table 7 prints {params} M parameters and {madds} B MAdds{how}; this count is {own} M and {own_madds} B"
)
SIZE_NOTE = " ({other} B at {size}x{size})"
PADDED_NOTE = ", or {padded} B with ASPP's maps padded to multiples of the rate, as TensorFlow's space-to-batch does"
MULTI_NOTE = " for MF (six scales, each flipped too)"


def detector_notes(spec: ModelSpec) -> list[str]:
    """Return the differences of the paper's detectors: those of width 1 at 320x320, whatever the classes."""
    notes = [COUNTING]
    if spec.detector_head not in TABLE5 or not _is_papers(
        spec, ModelSpec(family="detector", height=320, image_width=320)
    ):
        return notes
    papers = replace(spec, classes=CLASSES)
    printed = TABLE5[spec.detector_head]
    own, more = (_short(detector_head_cost(replace(spec, classes=classes))) for classes in (CLASSES, CLASSES + 1))
    notes.append(
        TABLE5_NOTE.format(params=printed.params, madds=printed.madds, own=own, more=more, remark=printed.remark)
    )
    if spec.detector_head == "ssdlite":
        total = cost(papers)
        params, madds = TABLE6
        text = TABLE6_NOTE.format(
            params=params, madds=madds, own=f"{total.parameters / 1e6:.2f}", own_madds=f"{total.madds / 1e6:.1f}"
        )
        notes.append(text)
    return notes


def segmenter_notes(spec: ModelSpec) -> list[str]:
    """Return the differences of the paper's segmenters: those of width 1 at 512x512 or 513x513 with 21 classes."""
    notes = [COUNTING]
    sizes = {512: 513, 513: 512}
    reference = ModelSpec(family="segmenter", height=spec.height, image_width=spec.height, classes=21)
    if spec.height not in sizes or not _is_papers(spec, reference):
        return notes
    for line in TABLE7:
        if (line.output_stride, line.aspp) == (spec.output_stride, spec.aspp):
            notes.append(_table7_note(spec, line, sizes[spec.height]))
    return notes


def _table7_note(spec: ModelSpec, line: Table7, other_size: int) -> str:
    at = {size: replace(spec, height=size, image_width=size) for size in (spec.height, other_size)}
    if line.multi_scale:  # the scales of 512 are those of TensorFlow's 513
        networks = multi_scale(at[513])
        counts = [FLIPS * sum(count(each) for each in networks) for count in (_madds, padded_madds)]
        text, own, padded = "", *(f"{total / 1e9:.1f}" for total in counts)
    else:
        text = SIZE_NOTE.format(other=f"{_madds(at[other_size]) / 1e9:.3f}", size=other_size)
        own, padded = f"{_madds(spec) / 1e9:.3f}", f"{padded_madds(at[513]) / 1e9:.2f}"
    note = TABLE7_NOTE.format(
        params=line.params,
        madds=line.madds,
        how=MULTI_NOTE if line.multi_scale else "",
        own=f"{cost(spec).parameters / 1e6:.3f}",
        own_madds=own,
    )
    return note + text + (PADDED_NOTE.format(padded=padded) if spec.aspp else "") + "."


def _madds(spec: ModelSpec) -> int:
    return cost(spec).madds


def _short(total: HeadCost) -> tuple[str, str]:
    return f"{total.parameters / 1e6:.2f}", f"{total.madds / 1e9:.3f}"


SAME_COST = ("name", "padding", "bn_epsilon", "head_bn_epsilon", "head_activation", "align_corners", "output")


def _is_papers(spec: ModelSpec, reference: ModelSpec) -> bool:
    """Whether only what costs nothing, and what the tables list themselves, differs from the paper's network."""
    free = (
        (*SAME_COST, "classes", "detector_head") if spec.family == "detector" else (*SAME_COST, "aspp", "output_stride")
    )
    return replace(reference, **{field: getattr(spec, field) for field in free}) == spec
