"""End to end at the smallest size: files, metadata, reproducibility, artefacts, refusals."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import mnv2c
from mnv2c import targets
from mnv2c.compiler import Compiled
from mnv2c.errors import OutputError, UserError
from mnv2c.link import select_linker
from mnv2c.spec import layers, load, to_toml
from mnv2c.spec.cost import cost
from mnv2c.verification import tolerance
from tests.plan.networks import changed
from tests.to_relax.graphs import model

SMALLEST: dict[str, Any] = {"width": 0.35, "resolution": 32}
NAME = "mobilenet_v2_035_32"
FILES = {
    *(f"lib{NAME}.{end}" for end in ("so.2", "so", "a")),
    *(f"{NAME}.{end}" for end in ("h", "c", "json", "onnx", "pc", "spdx.json")),
    *(f"{NAME}_{part}.c" for part in ("frame", "labels")),
    *(f"{NAME}Config{end}.cmake" for end in ("", "Version")),
}
STAGES = {"stem", "expand", "depthwise", "project", "add", "conv", "pointwise", "pool", "dense", "resize", "argmax"}


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)


def test_the_folder_has_these_files_and_no_others(compiled: Compiled) -> None:
    assert compiled.name == NAME
    assert {path.name for path in compiled.directory.iterdir()} == {*FILES, "main.c", "dump"}
    assert os.readlink(compiled.directory / f"lib{NAME}.so") == f"lib{NAME}.so.2"


def test_metadata_says_what_the_library_is(compiled: Compiled) -> None:
    metadata = json.loads((compiled.directory / f"{NAME}.json").read_text())
    assert metadata == json.loads(json.dumps(compiled.metadata))
    wanted = {"name", "target", "dtype", "inputs", "outputs", "params", "madds", "arena_bytes", "weights_bytes"}
    assert metadata.keys() >= wanted | {"chains", "fallbacks"}
    assert (metadata["name"], metadata["dtype"], metadata["fallbacks"]) == (NAME, "float32", [])
    assert metadata["inputs"][0]["shape"] == [1, 32, 32, 3]
    assert metadata["outputs"][0]["shape"] == [1, 1000]
    for chain in metadata["chains"]:
        assert chain.keys() >= {"name", "stages", "scratch_bytes", "schedule"}
        assert set(chain["stages"]) <= STAGES
    bottlenecks = [chain for chain in metadata["chains"] if "depthwise" in chain["stages"]]
    stages = [stage for chain in metadata["chains"] for stage in chain["stages"]]
    assert (stages.count("depthwise"), stages.count("add"), stages.count("dense")) == (17, 10, 1)
    assert len(metadata["chains"]) <= 19  # the planner may have joined some
    assert [chain["in_place"] for chain in bottlenecks].count(True) > 0
    assert metadata["weights_bytes"] >= 4 * metadata["params"] * 0.9  # batch normalisation is folded away


def test_without_joining_every_bottleneck_is_a_chain(tmp_path: Path) -> None:
    metadata = mnv2c.compile("mobilenet_v2", output=tmp_path, join=False, **SMALLEST).metadata
    assert len(metadata["chains"]) == 19
    bottlenecks = [chain for chain in metadata["chains"] if "depthwise" in chain["stages"]]
    assert [chain["stages"][-1] for chain in bottlenecks].count("add") == 10


def test_counts_agree_with_inspect(compiled: Compiled) -> None:
    figures = cost(load("mobilenet_v2", **SMALLEST))
    assert compiled.metadata["params"] == figures.parameters
    assert compiled.metadata["madds"] == figures.madds


def test_every_layer_agrees_with_onnxruntime(compiled: Compiled) -> None:
    report = mnv2c.verify(compiled.directory)
    assert report.passed, report.failure()
    assert report.max_rel_error <= tolerance.FLOAT32
    whole_run = "whole run"
    compared = [comparison.step for comparison in report.comparisons if comparison.step != whole_run]
    assert compared == [chain["name"] for chain in compiled.metadata["chains"]]  # however the planner joined them
    assert report.comparisons[-1].step == whole_run


def test_equal_inputs_give_equal_bytes(compiled: Compiled, tmp_path: Path) -> None:
    again = mnv2c.compile("mobilenet_v2", output=tmp_path / "out", seed=1, **SMALLEST)
    for name in [*FILES, "main.c"]:
        assert (again.directory / name).read_bytes() == (compiled.directory / name).read_bytes(), name


def test_every_phase_leaves_its_artefact(compiled: Compiled) -> None:
    folder = compiled.directory / "dump"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["10-model.onnx", "20-relax.py", "25-normalised.py", "30-fused.py", "40-plan.json", "50-kernels.py",
                     "60-model.ll"]  # fmt: skip
    onnx.checker.check_model(onnx.load(folder / "10-model.onnx"))
    plan = json.loads((folder / "40-plan.json").read_text())
    assert plan["arena_bytes"] == compiled.metadata["arena_bytes"]
    assert {step["kernel"] for step in plan["steps"]} == plan["kernels"].keys()
    kernels = (folder / "50-kernels.py").read_text()
    assert all(f"def {kernel}(" in kernels for kernel in plan["kernels"])
    llvm = (folder / "60-model.ll").read_text()
    assert all(f"@{kernel}(" in llvm for kernel in plan["kernels"])


def test_an_exported_file_compiles_to_the_same_kernels(compiled: Compiled, tmp_path: Path) -> None:
    exported = mnv2c.export("mobilenet_v2", tmp_path / "exported.onnx", seed=1, **SMALLEST)
    other = mnv2c.compile(exported, output=tmp_path / "out", name=NAME)
    for key in ("inputs", "outputs", "madds", "arena_bytes", "weights_bytes", "chains", "fallbacks"):
        assert other.metadata[key] == compiled.metadata[key], key
    assert other.metadata["model"] == {"kind": "onnx", "file": "exported.onnx"}
    assert (other.directory / f"{NAME}.c").read_bytes() == (compiled.directory / f"{NAME}.c").read_bytes()
    wanted, found = mnv2c.load(compiled.directory)(image()), mnv2c.load(other.directory)(image())
    np.testing.assert_array_equal(found, wanted)


BOTH = """
#include <stdio.h>
#include "{first}.h"
#include "{second}.h"
static _Alignas(64) unsigned char arena[{FIRST}_ARENA_BYTES + {SECOND}_ARENA_BYTES + 64];
static float image[3072], logits[1000], vector[8], squashed[8];
int main(void)
{{
    {first}_ctx one;
    {second}_ctx two;
    const void *images[] = {{image}}, *vectors[] = {{vector}};
    void *all_logits[] = {{logits}}, *all_squashed[] = {{squashed}};
    for (int i = 0; i < 3072; ++i) image[i] = (float)(i % 7) - 3;
    for (int i = 0; i < 8; ++i) vector[i] = (float)i - 4;
    if ({first}_init(&one, arena, {FIRST}_ARENA_BYTES, NULL, {FIRST}_ABI) != {FIRST}_OK) return 1;
    unsigned char *rest = arena + ({FIRST}_ARENA_BYTES + 63) / 64 * 64;
    if ({second}_init(&two, rest, {SECOND}_ARENA_BYTES, NULL, {SECOND}_ABI) != {SECOND}_OK) return 2;
    if ({first}_run(&one, images, all_logits) != {FIRST}_OK) return 3;
    if ({second}_run(&two, vectors, all_squashed) != {SECOND}_OK) return 4;
    for (int i = 0; i < 1000; ++i) printf("%.9g ", logits[i]);
    for (int i = 0; i < 8; ++i) printf("%.9g ", squashed[i]);
    return 0;
}}
"""


def test_two_models_link_into_one_program(compiled: Compiled, tmp_path: Path) -> None:
    other = tmp_path / "squash.onnx"
    onnx.save(model([helper.make_node("Sigmoid", ["x"], ["y"])], {"x": (1, 8)}, {"y": (1, 8)}), other)
    second = mnv2c.compile(other, output=tmp_path)
    assert second.name == "squash"
    names = {"first": NAME, "FIRST": NAME.upper(), "second": "squash", "SECOND": "SQUASH"}
    archives = [compiled.directory / f"lib{NAME}.a", tmp_path / "libsquash.a"]
    headers = {path.name: path.read_text() for path in (compiled.directory / f"{NAME}.h", tmp_path / "squash.h")}
    linker = select_linker(targets.load("host"))
    program = tmp_path / "both"
    program.write_bytes(linker.executable({"both.c": BOTH.format(**names), **headers}, archives, ["-lm"]))
    program.chmod(0o755)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    values = np.array(printed.split(), np.float32)
    pattern = (np.arange(3072, dtype=np.float32) % 7 - 3).reshape(1, 32, 32, 3)
    np.testing.assert_array_equal(values[:1000], mnv2c.load(compiled.directory)(pattern)[0])
    np.testing.assert_allclose(values[1000:], 1 / (1 + np.exp(4 - np.arange(8))), rtol=1e-5)


def test_progress_begins_at_nothing_and_ends_at_everything(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    path = tmp_path / "relu.onnx"
    onnx.save(model([helper.make_node("Relu", ["x"], ["y"])], {"x": (1, 8)}, {"y": (1, 8)}), path)
    mnv2c.compile(path, output=tmp_path / "out", progress=lambda phase, fraction: told.append((phase, fraction)))
    fractions = [fraction for _, fraction in told]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)
    assert len({phase for phase, _ in told}) == len(told)


def corrupt(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"\x10\0\0\0\0\0\0\0not JSON at all!")
    return path


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"width": 0.0}, "width"),
    ({"resolution": 8}, "8"),
    ({"model": "mobilenet_v3"}, "mobilenet_v2"),
    ({"target": "cortx-a76"}, "cortex-a76"),
    ({"dtype": "float16"}, "float32"),
    ({"batch": 2}, "batch 2"),
    ({"name": "3d"}, '"3d"'),
    ({"name": "int"}, '"int"'),
    ({"name": "a-b"}, "a_b"),
    ({"cc": "/nowhere/gcc"}, "/nowhere/gcc"),
    ({"weights": "missing.safetensors"}, "missing.safetensors"),
    ({"model": "missing.onnx"}, "missing.onnx"),
]


@pytest.mark.parametrize(("options", "named"), REFUSALS, ids=[str(options) for options, _ in REFUSALS])
def test_bad_input_is_one_line_and_nothing_is_written(options: dict[str, Any], named: str, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"model": "mobilenet_v2", **SMALLEST, **options}
    if str(arguments["model"]).endswith(".onnx"):
        arguments |= {"width": None, "resolution": None}
    chosen = arguments.pop("model")
    with pytest.raises(UserError) as error:
        mnv2c.compile(chosen, output=tmp_path / "out", dump=tmp_path / "dump", **arguments)
    message = str(error.value)
    assert named in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a protobuf", b"\x08\x08\x12\x04"])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.onnx") as error:
        mnv2c.compile(tmp_path / "broken.onnx", output=tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_corrupt_weights_are_refused(tmp_path: Path) -> None:
    path = corrupt(tmp_path)
    with pytest.raises(UserError, match=r"weights\.safetensors") as error:
        mnv2c.compile("mobilenet_v2", output=tmp_path / "out", weights=path, **SMALLEST)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_onnx_file_takes_no_spec_options(tmp_path: Path) -> None:
    path = tmp_path / "relu.onnx"
    onnx.save(model([helper.make_node("Relu", ["x"], ["y"])], {"x": (1, 8)}, {"y": (1, 8)}), path)
    with pytest.raises(UserError, match="has its own width; leave --width out"):
        mnv2c.compile(path, output=tmp_path / "out", width=1.0)


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        mnv2c.compile("mobilenet_v2", output=tmp_path / "out", **SMALLEST)
    assert (tmp_path / "out").read_text() == "mine"


def test_shortcuts_between_expansions_are_added_in_chains_and_are_right(tmp_path: Path) -> None:
    """Figure 6b: expanded tensors leave their chains as side outputs, and are added by chains of their own."""
    ablation = changed(load("mobilenet_v2", classes=8, **SMALLEST), shortcut="expansion")
    (tmp_path / "ablation.toml").write_text(to_toml(ablation))
    made = mnv2c.compile(tmp_path / "ablation.toml", output=tmp_path / "out")
    assert made.metadata["fallbacks"] == []
    report = mnv2c.verify(made.directory)
    assert report.passed
    sums = {layer.name for layer in layers(ablation) if layer.kind == "add"}
    assert sums
    compared = {comparison.tensor for comparison in report.comparisons}
    assert compared >= {"block_17.project", "logits"}
    assert sum(chain["stages"].count("add") for chain in made.metadata["chains"]) == len(sums)
