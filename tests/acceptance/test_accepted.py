"""Acceptances of the README that no other test compiles and compares; `statements` lists all."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import mnv2c
from mnv2c import spec, targets
from mnv2c.errors import CannotRunError, LibraryError
from mnv2c.link import select_linker
from mnv2c.runtime import emulator
from mnv2c.runtime.metadata import read
from mnv2c.spec import describe
from mnv2c.targets.host import detect
from mnv2c.verification import tolerance
from mnv2c.verification.comparison import reference_tensors
from mnv2c.weights import write
from tests.foreign.exporters import KERAS, TORCHSCRIPT, network, saved
from tests.weights.test_sources import FOREIGN, foreign, model_for
from tests.weights.test_sources import SMALL as SMALL_WEIGHTS
from tests.zoo import mobile

SMALLEST: dict[str, Any] = {"width": 0.35, "resolution": 32}


def some(names: Collection[str], *quick: str) -> list[Any]:
    """Parameters of which only the quick ones run by default."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def verified(made: Any, steps: int = 3) -> None:
    """Every step of a compiled folder equals the reference, and there are enough of them."""
    report = mnv2c.verify(made.directory)
    assert report.max_rel_error <= tolerance.FLOAT32
    assert len(report.comparisons) >= steps


def test_other_numbers_of_classes(tmp_path: Path) -> None:
    made = mnv2c.compile("mobilenet_v2", output=tmp_path / "out", classes=7, **SMALLEST)
    assert made.metadata["outputs"][0]["shape"] == [1, 7]
    verified(made)


@pytest.mark.parametrize("name", some(spec.available(), "mobilenetv2_110d"))
def test_every_model_of_the_zoo(name: str, tmp_path: Path) -> None:
    made = mnv2c.compile(name, output=tmp_path / "out", resolution=65)
    assert made.metadata["fallbacks"] == []
    verified(made)


@pytest.mark.parametrize("style", [TORCHSCRIPT, KERAS], ids=["NCHW", "NHWC"])
def test_a_dynamic_size_is_given(style: Any, tmp_path: Path) -> None:
    path = saved(network(style), tmp_path / "open.onnx")
    model = onnx.load(path)
    extents = model.graph.input[0].type.tensor_type.shape.dim
    given = [1, *(extent.dim_value for extent in extents[1:])]
    for axis in (2, 3) if not style.nhwc else (1, 2):
        extents[axis].ClearField("dim_value")
        extents[axis].dim_param = f"size_{axis}"
    onnx.save(model, path)
    made = mnv2c.compile(path, output=tmp_path / "out", input_shape=",".join(map(str, given)))
    verified(made)
    image = np.random.default_rng(3).uniform(-1, 1, given).astype(np.float32)
    (wanted,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": image})
    assert tolerance.relative_error(mnv2c.load(made.directory)(image), wanted) <= tolerance.FLOAT32


@pytest.mark.parametrize(
    "build", [pytest.param(mobile.mobilenet_v1, marks=pytest.mark.slow), mobile.mnasnet, mobile.efficientnet_lite0]
)
def test_classifiers_of_files_are_fused(build: Any, tmp_path: Path) -> None:
    onnx.save(build(size=48, width=0.25, classes=6), tmp_path / "file.onnx")
    made = mnv2c.compile(tmp_path / "file.onnx", output=tmp_path / "out")
    assert made.metadata["fallbacks"] == []
    verified(made)


@pytest.mark.parametrize(
    ("name", "resolution"),
    [("ssdlite_mobilenet_v2", 65), pytest.param("ssd_mobilenet_v2", 65, marks=pytest.mark.slow),
     ("deeplabv3_mobilenet_v2_aspp", 33)],
)  # fmt: skip
def test_exported_models_compute_what_the_file_does(name: str, resolution: int, tmp_path: Path) -> None:
    path = mnv2c.export(name, tmp_path / "file.onnx", width=0.35, resolution=resolution, classes=5)
    made = mnv2c.compile(path, output=tmp_path / "out")
    assert made.metadata["fallbacks"] == []
    verified(made)


@pytest.mark.parametrize("source", some([*FOREIGN, "mnv2c"], "torchvision"))
def test_weights_of_every_source(source: str, tmp_path: Path) -> None:
    path, model = tmp_path / "w.safetensors", "mobilenet_v2" if source == "mnv2c" else model_for(source)
    chosen = mnv2c.weights.SOURCES[source]
    described = replace(describe(model, **SMALL_WEIGHTS).spec, **chosen.conventions)
    if chosen.classes is not None:
        described = replace(described, classes=chosen.classes)
    write(path, foreign(source, described))
    made = mnv2c.compile(model, output=tmp_path / "out", weights=path, **SMALL_WEIGHTS)
    assert "sha256" in made.metadata["weights_source"]
    verified(made)


def test_weights_of_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mnv2c[torch]' to test .pth files")
    described = describe("mobilenet_v2", **SMALL_WEIGHTS).spec
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in foreign("torchvision", described).items()}
    torch.save(tensors, tmp_path / "w.pth")
    verified(mnv2c.compile("mobilenet_v2", output=tmp_path / "out", weights=tmp_path / "w.pth", **SMALL_WEIGHTS))


@pytest.mark.parametrize("name", some([*(name for name in targets.names() if name != "apple-m1")], "host", "aarch64"))
def test_every_target(name: str, tmp_path: Path) -> None:
    made = mnv2c.compile("mobilenet_v2", name, output=tmp_path / "out", **SMALLEST)
    try:
        report = mnv2c.verify(made.directory)
    except (CannotRunError, LibraryError) as error:
        pytest.skip(f"cannot run here: {error}")
    assert report.max_rel_error <= tolerance.FLOAT32


@pytest.mark.parametrize(
    ("target", "libc"),
    [
        ("host", "musl"),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (("host", "gnu"), ("cortex-a53", "musl"))),
    ],
)
def test_every_c_library(target: str, libc: str, tmp_path: Path) -> None:
    if target != "host" and emulator.find_qemu("aarch64") is None:
        pytest.skip("qemu-aarch64 is missing: apt-get install qemu-user")
    made = mnv2c.compile("mobilenet_v2", target, libc=libc, output=tmp_path / "out", **SMALLEST)
    verified(made)


def test_an_own_target(tmp_path: Path) -> None:
    if not set(targets.load("x86-64-v3").requires) <= detect().features:
        pytest.skip("needs AVX2 and FMA")
    text = (Path(__file__).parents[2] / "targets" / "x86-64-v3.toml").read_text("utf-8")
    text = text.replace('name = "x86-64-v3"', 'name = "mine"', 1).replace("262_144", "1_048_576")
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    made = mnv2c.compile("mobilenet_v2", tmp_path / "mine.toml", output=tmp_path / "out", **SMALLEST)
    assert made.metadata["target"]["name"] == "mine"
    verified(made)


def test_without_joins(tmp_path: Path) -> None:
    made = mnv2c.compile("mobilenet_v2", output=tmp_path / "out", join=False, **SMALLEST)
    assert len(made.metadata["chains"]) == 19  # 17 bottlenecks, head, dense
    verified(made, 19)


POOL = """
#include <pthread.h>
#include <stdio.h>
#include "net.h"
struct half { void (*task)(void *, unsigned); void *arg; unsigned first, tasks; };
static unsigned calls;
static void *run(void *p)
{
    struct half *h = p;
    for (unsigned i = h->first; i < h->tasks; i += 2) h->task(h->arg, i);
    return NULL;
}
static void mine(void *pool, void (*task)(void *, unsigned), void *arg, unsigned tasks)
{
    struct half halves[2] = {{task, arg, 0, tasks}, {task, arg, 1, tasks}};
    pthread_t other;
    *(unsigned *)pool += 1;
    if (pthread_create(&other, NULL, run, &halves[1]) != 0) return;
    run(&halves[0]);
    pthread_join(other, NULL);
}
static _Alignas(NET_ARENA_ALIGN) unsigned char arena[NET_ARENA_BYTES];
static float image[3072], logits[1000];
int main(void)
{
    net_threads threads = {&calls, 2, mine};
    net_ctx context;
    const void *inputs[] = {image};
    void *outputs[] = {logits};
    for (int i = 0; i < 3072; ++i) image[i] = (float)(i % 7) - 3;
    if (net_init(&context, arena, sizeof arena, &threads, NET_ABI) != NET_OK) return 1;
    if (net_run(&context, inputs, outputs) != NET_OK) return 2;
    net_deinit(&context);
    for (int i = 0; i < 1000; ++i) printf("%.9g ", logits[i]);
    return calls > 0 ? 0 : 3;
}
"""


def test_a_pool_of_the_applications_own(tmp_path: Path) -> None:
    made = mnv2c.compile("mobilenet_v2", output=tmp_path / "out", name="net", threads=2, **SMALLEST)
    sources = {"pool.c": POOL, "net.h": (made.directory / "net.h").read_text("utf-8")}
    program = tmp_path / "pool"
    linker = select_linker(targets.load("host"))
    program.write_bytes(linker.executable(sources, [made.directory / "libnet.a"], ["-lm", "-lpthread"]))
    program.chmod(0o755)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    pattern = (np.arange(3072, dtype=np.float32) % 7 - 3).reshape(1, 32, 32, 3)
    description = read(made.directory)
    name = description.outputs[0].name
    wanted = reference_tensors(made.directory / "net.onnx", {description.inputs[0].name: pattern}, [name])[name]
    found = np.array(printed.split(), np.float32)
    assert tolerance.relative_error(found, wanted[0]) <= tolerance.FLOAT32
