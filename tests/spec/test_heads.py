"""Layers and counts of detectors and segmenters: the paper's section 6, and the published networks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnv2c.errors import SpecError
from mnv2c.learning.evaluation.boxes import prior_boxes
from mnv2c.spec import Layer, ModelSpec, layers, load
from mnv2c.spec.cost import cost
from mnv2c.spec.detector import feature_maps
from mnv2c.spec.heads import FLIPS, detector_head_cost, multi_scale, padded_madds
from mnv2c.spec.priors import CONVENTIONS
from mnv2c.spec.segmenter import rates
from mnv2c.spec.table2 import Row

SSDLITE, DEEPLAB = load("ssdlite_mobilenet_v2"), load("deeplabv3_mobilenet_v2")


def by_name(spec: ModelSpec) -> dict[str, Layer]:
    return {layer.name: layer for layer in layers(spec)}


def sized(spec: ModelSpec, size: int) -> ModelSpec:
    return replace(spec, height=size, image_width=size)


@pytest.mark.parametrize(
    ("classes", "parameters", "madds"),
    [(80, 4_320_660, 787_273_408), (91, 4_500_543, 804_397_504)],
)
def test_ssdlite_as_a_whole(classes: int, parameters: int, madds: int) -> None:
    """The paper prints 4.3 M and 0.8 B with 80 classes (Table 6)."""
    total = cost(load("ssdlite_mobilenet_v2", classes=classes))
    assert (total.parameters, total.madds) == (parameters, madds)


@pytest.mark.parametrize(
    ("name", "classes", "parameters", "madds"),
    [
        ("ssdlite_mobilenet_v2", 80, 2.10e6, 0.176e9),
        ("ssdlite_mobilenet_v2", 81, 2.11e6, 0.178e9),
        ("ssd_mobilenet_v2", 80, 14.63e6, 1.245e9),
        ("ssd_mobilenet_v2", 81, 14.78e6, 1.259e9),
    ],
)
def test_extra_and_prediction_layers(name: str, classes: int, parameters: float, madds: float) -> None:
    """The paper's Table 5 prints 2.1 M and 0.35 B, 14.8 M and 1.25 B."""
    head = detector_head_cost(load(name, classes=classes))
    assert abs(head.parameters - parameters) < 0.005e6
    assert abs(head.madds - madds) < 0.0005e9


def test_the_first_map_is_the_expansion_of_layer_15() -> None:
    """Counting the stem as layer 1 and the first bottleneck as layer 2: 19x19x576 at 300x300."""
    found = by_name(load("ssdlite_mobilenet_v2_coco"))
    first = found["boxes_1.depthwise"]
    assert first.inputs == found["scores_1.depthwise"].inputs == ("block_14.expand",)
    assert (first.input_shape, found["block_14.depthwise"].stride) == ((19, 19, 576), (2, 2))
    assert found["boxes_2.depthwise"].inputs == ("head.pointwise",)
    assert [found[f"scores_{n}.depthwise"].input_shape for n in range(2, 7)] == [
        (10, 10, 1280),
        (5, 5, 512),
        (3, 3, 256),
        (2, 2, 256),
        (1, 1, 128),
    ]


def test_extra_layers() -> None:
    found = [layer for layer in layers(SSDLITE) if layer.name.startswith("extra_")]
    assert [layer.output_shape[2] for layer in found] == [256, 256, 512, 128, 128, 256, 128, 128, 256, 64, 64, 128]
    assert {layer.activation for layer in found} == {"relu6"}
    assert [layer.stride for layer in found if layer.kind == "depthwise"] == [(2, 2)] * 4


@pytest.mark.parametrize(
    ("name", "resolution", "priors"),
    [
        ("ssdlite_mobilenet_v2", 300, 1917),
        ("ssdlite_mobilenet_v2", 320, 2034),
        ("ssdlite_mobilenet_v2", "97x131", 369),
        ("ssdlite_mobilenet_v2_torchvision", 320, 3234),
        ("mb2_ssd_lite", 300, 3000),
    ],
)
def test_as_many_results_as_priors(name: str, resolution: int | str, priors: int) -> None:
    spec = load(name, resolution=resolution)
    found = by_name(spec)
    assert found["boxes"].output_shape == (1, priors, 4)
    assert found["scores"].output_shape == (1, priors, spec.classes)
    maps = feature_maps(layers(spec))
    assert len(prior_boxes(CONVENTIONS[spec.boxes], maps, (spec.height, spec.image_width))) == priors


def test_predictions_have_a_bias_and_nothing_else() -> None:
    for spec in (SSDLITE, load("ssd_mobilenet_v2"), load("mb2_ssd_lite")):
        predictions = [layer for layer in layers(spec) if layer.name.endswith(".predict")]
        assert len(predictions) == 12
        assert all(layer.has_bias and not layer.has_batch_norm for layer in predictions)
        assert {layer.activation for layer in predictions} == {"linear"}
    assert {layer.kernel for layer in layers(load("ssd_mobilenet_v2")) if layer.kind == "regular"} == {(3, 3)}


def test_qfgaohao_s_head() -> None:
    found = by_name(load("mb2_ssd_lite", width=0.5))
    assert [found[f"extra_{n}.pointwise"].output_shape[2] for n in range(1, 5)] == [512, 256, 256, 64]
    assert [found[f"extra_{n}.squeeze"].output_shape[2] for n in range(1, 5)] == [256, 128, 128, 64]
    assert {found[f"extra_{n}.pointwise"].activation for n in range(1, 5)} == {"linear"}
    assert "boxes_5.depthwise" in found and "boxes_6.depthwise" not in found
    assert found["boxes_6.predict"].inputs == ("extra_4.pointwise",)


def test_taps_of_other_networks() -> None:
    def tap(rows: tuple[Row, ...], **changes: str) -> tuple[str, ...]:
        return by_name(replace(SSDLITE, rows=rows, **changes))["boxes_1.depthwise"].inputs

    assert tap((Row(1, 16, 1, 1), Row(6, 24, 2, 2), Row(1, 40, 3, 2))) == ("block_3.add",)
    assert tap((Row(1, 16, 1, 2), Row(6, 24, 2, 1))) == ("stem",)
    with pytest.raises(SpecError, match="needs a line of stride 2"):
        layers(replace(SSDLITE, rows=(Row(1, 16, 1, 1),)))


@pytest.mark.parametrize(
    ("aspp", "output_stride", "size", "billions"),
    [
        (False, 16, 512, 2.604),
        (False, 16, 513, 2.741),
        (False, 8, 512, 8.565),
        (False, 8, 513, 8.826),
        (True, 16, 512, 5.070),
        (True, 16, 513, 5.364),
        (True, 8, 512, 18.43),
        (True, 8, 513, 19.00),
    ],
)
def test_deeplab(aspp: bool, output_stride: int, size: int, billions: float) -> None:
    """The paper's Table 7 prints 2.75 B without ASPP at output stride 16."""
    spec = sized(replace(DEEPLAB, aspp=aspp, output_stride=output_stride), size)
    total = cost(spec)
    assert total.parameters == (4_523_541 if aspp else 2_113_557)
    assert abs(total.madds / 1e9 - billions) < 0.005
    found = by_name(spec)
    assert found["head.classes"].output_shape == (-(-size // output_stride),) * 2 + (21,)


def test_padding_gives_the_paper_s_counts_with_aspp() -> None:
    """5.8 B at output stride 16, and 387 B for MF at 8; 152.6 B there without ASPP."""
    assert round(padded_madds(replace(DEEPLAB, aspp=True)) / 1e9, 2) == 5.82
    large = multi_scale(replace(DEEPLAB, aspp=True, output_stride=8))
    assert [spec.height for spec in large] == [257, 385, 513, 641, 769, 897]
    assert round(FLIPS * sum(padded_madds(spec) for spec in large) / 1e9, 1) == 387.3
    assert round(FLIPS * sum(cost(spec).madds for spec in large) / 1e9, 1) == 327.9
    plain = multi_scale(replace(DEEPLAB, output_stride=8))
    assert round(FLIPS * sum(cost(spec).madds for spec in plain) / 1e9, 1) == 152.3
    assert all(padded_madds(spec) == cost(spec).madds for spec in plain)


def test_sizes_that_mf_cannot_have() -> None:
    assert multi_scale(sized(DEEPLAB, 48)) == multi_scale(sized(DEEPLAB, 4000)) == ()


def test_rates_of_aspp() -> None:
    assert rates(DEEPLAB) == ()
    for output_stride, wanted in ((32, (3, 6, 9)), (16, (6, 12, 18)), (8, (12, 24, 36))):
        spec = replace(DEEPLAB, aspp=True, output_stride=output_stride)
        found = by_name(spec)
        assert rates(spec) == wanted
        assert tuple(found[f"head.branch_{n}"].dilation[0] for n in (1, 2, 3)) == wanted


def test_the_head_reads_the_map_of_320_channels() -> None:
    found = by_name(replace(DEEPLAB, aspp=True, width=1.4))
    assert "head.pointwise" not in found
    readers = [layer for layer in found.values() if layer.inputs == ("block_17.project",)]
    assert [layer.name for layer in readers] == ["head.pool", *(f"head.branch_{n}" for n in range(4))]
    assert {layer.input_shape[2] for layer in readers} == {448}
    assert found["head.concat"].inputs == ("head.broadcast", *(f"head.branch_{n}" for n in range(4)))
    assert found["head.concat"].output_shape[2] == 5 * 256
    assert {found[name].bn_epsilon for name in found if name.startswith("head.branch")} == {1e-5}
    assert found["block_17.project"].bn_epsilon == 1e-3


def test_what_ends_a_segmenter() -> None:
    mask = layers(replace(DEEPLAB, height=97, image_width=131))[-2:]
    assert [(layer.kind, layer.output_shape) for layer in mask] == [("resize", (97, 131, 21)), ("argmax", (97, 131, 1))]
    assert layers(replace(DEEPLAB, output="logits"))[-1].name == "head.classes"
