"""DeepLabv3 compiled to chains, against onnxruntime: heads, strides, sizes, both ways of upsampling."""

from __future__ import annotations

import platform
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mnv2c import runtime, targets
from mnv2c.api import compile_model
from mnv2c.plan.assemble import assemble
from mnv2c.plan.chain import StageKind
from mnv2c.runtime import emulator
from mnv2c.runtime.metadata import read
from mnv2c.spec import from_toml, load, to_toml
from mnv2c.to_onnx import emit
from mnv2c.verification.comparison import compare, random_inputs
from mnv2c.weights import expected
from tests.numerics import building
from tests.pipeline import fuse, schedule
from tests.segmenter.networks import Net, model

MASK = [StageKind.RESIZE, StageKind.ARGMAX]
DEEPLAB = "deeplabv3_mobilenet_v2"


def compiled(spec: Any, target: str, folder: Path, **options: Any) -> Path:
    """Compile a spec; AVX-512 is legalised for AVX2 where the CPU lacks it."""
    file = folder / "spec.toml"
    file.write_text(to_toml(spec), "utf-8")
    chosen = building.legalised(folder) if target == building.AVX512 and not building.has_avx512() else target
    return compile_model(file, chosen, output=folder / "out", name="net", **options).directory


def changed(name: str, size: tuple[int, int], width: float = 0.35, **changes: Any) -> Any:
    """A model of the zoo with other fields, checked as a file would be."""
    spec = load(name, width=width, resolution=f"{size[0]}x{size[1]}")
    return from_toml(to_toml(replace(spec, **changes)))


def check(folder: Path) -> None:
    """No fallback, every step and the whole run within the tolerance, the self-test too."""
    meta = read(folder).metadata
    assert meta["fallbacks"] == []
    report = compare(folder)
    report.raise_if_failed()
    assert report.comparisons[-1].tensor in ("mask", "logits")
    assert report.max_rel_error <= 1e-4


CASES = {
    "mask": ("host", DEEPLAB, (97, 129), {}),
    "aspp, half pixel": ("x86-64-v3", DEEPLAB + "_aspp", (129, 97), {"align_corners": False}),
    "aspp, stride 8, logits": (building.AVX512, DEEPLAB + "_aspp_os8", (65, 97), {"output": "logits"}),
    "Hugging Face": ("host", DEEPLAB + "_hf", (96, 80), {}),
}
ARM_CASES = {
    "mask": ("cortex-a53", DEEPLAB, (97, 97), {}),
    "aspp, half pixel": ("cortex-a76", DEEPLAB + "_aspp", (65, 97), {"align_corners": False}),
}
LARGE = [
    (target, name, (size, size), {"output": output, "align_corners": output == "mask"})
    for target in ("host", "cortex-a76")
    for name in (DEEPLAB, DEEPLAB + "_os8", DEEPLAB + "_aspp", DEEPLAB + "_aspp_os8")
    for size in (513, 257, 512)
    for output in ("logits", "mask")
]


def build(case: tuple[str, str, tuple[int, int], dict[str, Any]], folder: Path, width: float = 0.35) -> Path:
    target, name, size, changes = case
    return compiled(changed(name, size, width, **changes), target, folder)


def some(names: Collection[str], *quick: str) -> list[Any]:
    """Parameters of which only the quick ones run by default."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", some(CASES, "aspp, half pixel"))
def test_segmenters_are_right(name: str, tmp_path: Path) -> None:
    if CASES[name][0].startswith("x86") and platform.machine() != "x86_64":
        pytest.skip("needs an x86-64 CPU: AVX2 and AVX-512 segmenters were NOT run")
    check(build(CASES[name], tmp_path))


@pytest.mark.emulated
@pytest.mark.parametrize("name", some(ARM_CASES, "mask"))
def test_segmenters_are_right_on_arm(name: str, tmp_path: Path) -> None:
    folder = build(ARM_CASES[name], tmp_path)
    check(folder)
    emulator.selftest(folder)


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.parametrize("case", LARGE, ids=lambda case: "-".join(map(str, (*case[:2], case[2][0], case[3]["output"]))))
def test_large_segmenters_are_right(case: Any, tmp_path: Path) -> None:
    check(build(case, tmp_path, width=1.0 if case[0] == "host" else 0.35))


def test_a_mask_is_bytes_of_exactly_its_size(tmp_path: Path) -> None:
    folder = build(CASES["mask"], tmp_path)
    check(folder)
    description, library = read(folder), runtime.load(folder)
    (port,) = description.outputs
    assert (port.name, port.shape, port.dtype, port.bytes) == ("mask", (1, 97, 129), "uint8", 97 * 129)
    assert description.metadata["outputs"][0]["layout"] == "NHW"
    assert "uint8 NHW [1, 97, 129]" in (folder / "net.h").read_text()
    image = next(iter(random_inputs(description, 1).values()))
    mask = library(image)
    assert mask.dtype == np.uint8 and len(np.unique(mask)) > 2
    library.selftest()
    alone = emulator.run(folder, [image])  # guard pages around the buffers
    assert np.array_equal(alone.outputs[0], mask)
    emulator.selftest(folder)


@pytest.mark.slow
def test_threads_make_the_same_mask(tmp_path: Path) -> None:
    spec = changed(DEEPLAB + "_aspp", (97, 97))
    one, two = (compiled(spec, "host", tmp_path / str(count), threads=count) for count in made(tmp_path, 1, 2))
    image = next(iter(random_inputs(read(one), 2).values()))
    assert np.array_equal(runtime.load(one)(image), runtime.load(two, threads=2)(image))
    check(two)


def made(folder: Path, *counts: int) -> tuple[int, ...]:
    for count in counts:
        (folder / str(count)).mkdir()
    return counts


def planned(name: str, target: str, arena_limit: int | None = None) -> Any:
    """The kernels of a model of the zoo, whose weights are few different numbers."""
    spec = load(name)
    values = np.linspace(0.5, 1.5, 7, dtype=np.float32)
    graph = emit(spec, {key: np.resize(values, shape) for key, shape in expected(spec).items()})
    network = fuse(graph)

    return network, schedule(network, "net", targets.load(target), arena_limit=arena_limit)


@pytest.mark.parametrize("target", some(("x86-64-v4", "x86-64-v3", "cortex-a76"), "cortex-a76"))
def test_deeplab_at_513_keeps_no_large_tensor(target: str) -> None:
    """No upsampled logits, no map of 257x257, and 3 MB of arena."""

    network, kernels = planned(DEEPLAB, target, 3_000_000)
    assert network.fallbacks == ()
    assert [stage.kind for stage in kernels.network.chains[-1].chain.stages] == MASK
    assert assemble(kernels.network, kernels.nodes).arena_bytes <= 3_000_000
    ports = {*network.inputs, *network.outputs}
    inner = [tensor.shape for name, tensor in kernels.network.tensors.items() if name not in ports]
    made = {name for node in kernels.network.nodes for name in node.outputs}
    kept = [tensor.shape for name, tensor in kernels.network.tensors.items() if name in made - ports]
    assert inner and max(shape[1] for shape in kept if len(shape) == 4) <= 129


NETS = [
    Net(output="full"),
    Net(output="mask64", mode="asymmetric", classes=19),
    Net(rates=(2, 4, 6), pooled=True),
    Net(output="full", mode="half_pixel", height=40, width=56),
    Net(pooled=True, output="logits"),
    Net(rates=(3,), output="mask", mode="pytorch_half_pixel"),
]


@pytest.mark.parametrize(
    "net",
    [*NETS[:3], NETS[-1], *(pytest.param(net, marks=pytest.mark.slow) for net in NETS[3:-1])],
    ids=lambda net: f"{net.output}-{net.mode}-{len(net.rates)}-{net.pooled}",
)
def test_files_of_others_are_right(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    onnx.save(model(net), path)
    made = compile_model(path, output=tmp_path / "out", name="net")
    unknown = {"full": ["transpose"]}.get(net.output, [])
    assert [entry["operator"] for entry in made.metadata["fallbacks"]] == unknown
    compare(made.directory).raise_if_failed()
