"""Layers of a description: counts, shapes, windows, shortcuts."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import SpecError
from mnv2c.spec import Layer, ModelSpec, layers, load
from mnv2c.spec.cost import cost
from mnv2c.spec.table2 import Row

BASE = load("mobilenet_v2")
PARAMETERS = {0.35: 1_677_128, 0.5: 1_968_680, 0.75: 2_636_424, 1.0: 3_504_872, 1.3: 5_386_792, 1.4: 6_108_776}


def blocks(spec: ModelSpec) -> list[list[Layer]]:
    """The layers of each bottleneck."""
    by_name: dict[str, list[Layer]] = {}
    for layer in layers(spec):
        if layer.name.startswith("block_"):
            by_name.setdefault(layer.name.split(".")[0], []).append(layer)
    return list(by_name.values())


def spatial(spec: ModelSpec) -> list[Layer]:
    return [layer for layer in layers(spec) if layer.kind in ("stem", "depthwise")]


def adds(spec: ModelSpec) -> dict[str, tuple[str, ...]]:
    return {layer.name: layer.inputs for layer in layers(spec) if layer.kind == "add"}


@pytest.mark.parametrize("width", PARAMETERS)
def test_published_parameters(width: float) -> None:
    assert cost(load("mobilenet_v2", width=width)).parameters == PARAMETERS[width]


TIMM_PARAMETERS = {"050": 1_968_680, "100": 3_504_872, "110d": 4_516_520, "120d": 5_831_144, "140": 6_108_776}
TIMM_CHANNELS = {"110d": (16, 24, 32, 72, 104, 176, 352), "120d": (24, 32, 40, 80, 112, 192, 384)}


@pytest.mark.parametrize("variant", TIMM_PARAMETERS)
def test_parameters_of_timm_s_variants(variant: str) -> None:
    assert cost(load(f"mobilenetv2_{variant}")).parameters == TIMM_PARAMETERS[variant]


@pytest.mark.parametrize("variant", TIMM_CHANNELS)
def test_a_fixed_stem_and_head_around_scaled_blocks(variant: str) -> None:
    spec = load(f"mobilenetv2_{variant}")
    by_name = {layer.name: layer.output_shape[2] for layer in layers(spec)}
    assert (by_name["stem"], by_name["head.pointwise"]) == (32, 1280)
    assert tuple(dict.fromkeys(c for name, c in by_name.items() if name.endswith(".project"))) == TIMM_CHANNELS[variant]


def test_counts_of_the_paper_s_network() -> None:
    total = cost(BASE)
    assert total.parameters_without_bn == 3_470_760
    assert total.parameters_folded == 3_487_816
    assert total.madds == 300_774_272
    assert cost(load("mobilenet_v2", classes=1001)).parameters == 3_506_153


def test_costs_of_every_width_and_resolution(golden) -> None:
    lines = ["width resolution params params_without_bn madds"]
    for width in PARAMETERS:
        for resolution in (96, 128, 160, 192, 224):
            total = cost(load("mobilenet_v2", width=width, resolution=resolution))
            lines.append(f"{width} {resolution} {total.parameters} {total.parameters_without_bn} {total.madds}")
    golden("totals.txt", "\n".join(lines) + "\n")


def test_seventeen_bottlenecks() -> None:
    found = blocks(BASE)
    assert len(found) == 17
    assert [layer.kind for layer in found[0]] == ["depthwise", "project"]
    assert all([layer.kind for layer in block][:3] == ["expand", "depthwise", "project"] for block in found[1:])
    assert sum(block[-1].kind == "add" for block in found) == 10


def test_bottleneck_madds_follow_the_paper() -> None:
    """h w d' t (d' + k^2 + d'') for stride 1 (section 3.3)."""
    for block in blocks(BASE)[1:]:
        expand, depthwise, project = block[:3]
        if depthwise.stride == (1, 1):
            height, width, inner = expand.output_shape
            expected = height * width * inner * (expand.input_shape[2] + 9 + project.output_shape[2])
            assert sum(layer.madds for layer in block) == expected


@pytest.mark.parametrize(
    ("output_stride", "strided", "rates"),
    [
        (32, 5, {1}),
        (16, 4, {1, 2}),
        (8, 3, {1, 2, 4}),
    ],
)
def test_output_stride(output_stride: int, strided: int, rates: set[int]) -> None:
    spec = replace(BASE, output_stride=output_stride)
    found = spatial(spec)
    assert sum(layer.stride == (2, 2) for layer in found) == strided
    assert {layer.dilation[0] for layer in found} == rates
    assert found[-1].output_shape[:2] == (224 // output_stride,) * 2
    assert cost(spec).parameters == cost(BASE).parameters


def test_the_layer_that_loses_its_stride_keeps_the_rate() -> None:
    rates = {layer.name: layer.dilation[0] for layer in spatial(replace(BASE, output_stride=8))}
    assert [rates[f"block_{n}.depthwise"] for n in (6, 7, 8, 13, 14, 15, 17)] == [1, 1, 2, 2, 2, 4, 4]


def test_shortcut_none() -> None:
    assert adds(replace(BASE, shortcut="none")) == {}


def test_shortcut_between_expansions() -> None:
    spec = replace(BASE, shortcut="expansion")
    assert adds(spec) == {
        "block_6.add": ("block_6.expand", "block_5.expand"),
        "block_9.add": ("block_9.expand", "block_8.expand"),
        "block_10.add": ("block_10.expand", "block_9.add"),
        "block_13.add": ("block_13.expand", "block_12.expand"),
        "block_16.add": ("block_16.expand", "block_15.expand"),
    }
    assert next(layer for layer in layers(spec) if layer.name == "block_6.depthwise").inputs == ("block_6.add",)


def test_bottleneck_activation() -> None:
    for activation in ("linear", "relu6"):
        spec = replace(BASE, bottleneck_activation=activation)
        assert {layer.activation for layer in layers(spec) if layer.kind == "project"} == {activation}


def test_expansion_replaces_six_only() -> None:
    rows = (Row(1, 16, 1, 1), Row(3, 24, 1, 2), Row(6, 32, 2, 2))
    found = blocks(replace(BASE, rows=rows, expansion=4))
    assert [block[0].output_shape[2] for block in found] == [32, 3 * 16, 4 * 24, 4 * 32]
    assert found[0][0].kind == "depthwise"
    assert cost(replace(BASE, expansion=1)).parameters < cost(BASE).parameters


def test_padding_of_the_stem() -> None:
    assert layers(BASE)[0].padding == ((1, 1), (1, 1))
    spec = load("mobilenet_v2_keras", resolution="96x131")
    assert layers(spec)[0].padding == ((0, 1), (1, 1))


specs = st.builds(
    ModelSpec,
    width=st.sampled_from([0.1, 0.35, 1.0, 1.4]),
    height=st.integers(32, 300),
    image_width=st.integers(32, 300),
    classes=st.integers(1, 50),
    expansion=st.integers(1, 10),
    output_stride=st.sampled_from([32, 16, 8]),
    padding=st.sampled_from(["symmetric", "tf_same"]),
    shortcut=st.sampled_from(["bottleneck", "expansion", "none"]),
    stem_head=st.sampled_from(["scaled", "fixed"]),
    bottleneck_activation=st.sampled_from(["linear", "relu6"]),
)


@given(specs)
def test_layers_fit_together(spec: ModelSpec) -> None:
    shapes: dict[str, tuple[int, int, int]] = {}
    for layer in layers(spec):
        sources = [shapes[name] for name in layer.inputs] or [(spec.height, spec.image_width, 3)]
        assert set(sources) == {layer.input_shape}
        assert layer.name not in shapes
        shapes[layer.name] = layer.output_shape
    body = [layer for layer in layers(spec) if layer.kind == "project"][-1]
    assert body.output_shape[:2] == tuple(
        -(-extent // spec.output_stride) for extent in (spec.height, spec.image_width)
    )
    assert layers(spec)[-1].output_shape == (1, 1, spec.classes)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"rows": (Row(32, 8192, 2, 1),), "width": 8.0}, "parameters"),
        ({"height": 4096, "image_width": 4096, "width": 4.0}, "elements"),
    ],
)
def test_absurd_size_is_refused(changes: dict, word: str) -> None:
    with pytest.raises(SpecError, match=rf"(?s)^mobilenet_v2.* {word}; .*: reduce ") as error:
        layers(replace(BASE, **changes))
    assert "\n" not in str(error.value)


def test_largest_tensors_are_counted_in_elements() -> None:
    assert max(prod(layer.output_shape) for layer in layers(BASE)) == 112 * 112 * 96
